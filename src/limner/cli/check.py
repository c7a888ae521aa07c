"""``limner check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.core.protocols import Listener
    from limner.data.checks import CheckReport


def check(
    data: Path = typer.Argument(..., help="Folder of pictures and masks, or an annotation file."),
    out: Path | None = typer.Option(None, help="New folder for the findings and a contact sheet."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Read everything, report findings, say how the masks are read; change nothing."""

    def verb(listener: Listener) -> CheckReport:
        from limner.api.check import check as call

        return call(data, out=out, overwrite=overwrite, listener=listener)

    def shown(report: CheckReport) -> None:
        _show(report)
        if out is not None:
            print(f"contact sheet: {out / 'contact_sheet.html'}")

    show.run(
        verb, show=shown, document=_document, as_json=as_json, debug=debug, failed=lambda report: int(report.blocking)
    )


def _document(report: CheckReport) -> dict[str, Any]:
    tree = report.as_dict()
    if report.blocking:
        first = next(f for f in report.findings if f.level == "error")
        tree["error"] = {
            "kind": "DataError",
            "found": first.message,
            "expected": "data without errors",
            "where": ", ".join(first.files[:5]),
            "fix": first.fix,
        }
    return tree


def _show(report: CheckReport) -> None:
    print(
        f"{report.samples} pictures, {report.channels} channels; classes: {', '.join(name for _, name in report.classes)}"
    )
    print(f"masks: {report.mask_reading}")
    if any(report.splits.values()):
        print("split: " + ", ".join(f"{count} {name}" for name, count in report.splits.items()))
    for finding in report.findings:
        files = ", ".join(finding.files[:5]) + (f" and {len(finding.files) - 5} more" if len(finding.files) > 5 else "")
        print(
            f"\n{finding.level}: {finding.code}: {finding.message}"
            + (f"\n  files: {files}" if files else "")
            + (f"\n  fix: {finding.fix}" if finding.fix else "")
        )
    print("\ntraining would be refused until the errors are corrected" if report.blocking else "\nready to train")
