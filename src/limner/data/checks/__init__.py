"""Read a whole data set and say what is wrong with it, what was put right, and how its masks are understood."""

from limner.data.checks.evidence import Evidence
from limner.data.checks.examination import Examination, check_dataset, examine
from limner.data.checks.report import CheckReport
from limner.data.findings import Finding

__all__ = ["CheckReport", "Evidence", "Examination", "Finding", "check_dataset", "examine"]
