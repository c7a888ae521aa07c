"""What `check` answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limner.data.findings import Finding
from limner.data.object_facts import ObjectFacts


@dataclass(frozen=True)
class CheckReport:
    """What `check` answers.

    Parameters
    ----------
    format : how the annotations are stored.
    samples : pictures with a mask.
    channels : channels that the pictures have, or are given when gray and colour are mixed.
    classes : (id, name), the background first.
    mask_reading : how mask values become classes, as a sentence.
    splits : pictures in each given split; empty when none is given.
    findings : errors first.
    blocking : True when a finding is an error.
    objects : what the objects of each class are like; empty where they are not told apart.
    """

    format: str
    samples: int
    channels: int
    classes: tuple[tuple[int, str], ...]
    mask_reading: str
    splits: Mapping[str, int]
    findings: tuple[Finding, ...]
    blocking: bool
    objects: tuple[ObjectFacts, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The document that ``limner check --json`` prints."""
        return {
            "format": self.format, "samples": self.samples, "channels": self.channels,
            "classes": [{"id": index, "name": name} for index, name in self.classes],
            "mask_reading": self.mask_reading, "splits": dict(self.splits),
            "findings": [finding.as_dict() for finding in self.findings], "blocking": self.blocking,
            "objects": [facts.as_dict() for facts in self.objects],
        }  # fmt: skip
