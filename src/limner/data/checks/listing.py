"""Pictures that ``splits.csv`` lists more than once: in two splits a leak, else a row too many."""

from __future__ import annotations

from collections import defaultdict

from limner.data.checks.evidence import Evidence
from limner.data.findings import Finding, counted, finding, shortened
from limner.data.split_rows import numbered_rows

Rows = dict[str, list[tuple[int, str]]]


def rows_in_two_splits(evidence: Evidence) -> Rows:
    """Line and split of each row of the pictures that are listed in different splits; read only where rows are ambiguous."""
    path = evidence.root / "splits.csv"
    if not evidence.layout.split_rule or not evidence.layout.ambiguous or not path.is_file():
        return {}
    named = {files[0] for files in evidence.layout.ambiguous}
    rows: Rows = defaultdict(list)
    for line, row in numbered_rows(path, masks=False):
        name = row["image"].replace("\\", "/")
        if name in named:
            rows[name].append((line, row["split"].lower()))
    return {name: found for name, found in rows.items() if len({split for _, split in found}) > 1}


def leaking_rows(evidence: Evidence) -> list[Finding]:
    """The same picture in two splits."""
    rows = rows_in_two_splits(evidence)
    if not rows:
        return []
    shown = [
        f"{name} ({', '.join(f'{split} in line {line}' for line, split in found)})" for name, found in rows.items()
    ]
    text = f"{counted(len(rows), 'picture')} listed in two splits, which leaks the answers: {shortened(shown)}"
    fix = "keep one row of each; with --allow-leaks the first one counts"
    return [finding("SPLIT_LEAK", "error", text, list(rows), fix)]
