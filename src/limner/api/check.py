"""The verb ``check``: read everything, report, change nothing."""

from __future__ import annotations

from pathlib import Path

from limner.api.check_sheet import make_sheet, tile
from limner.core.files import check_output, prepare_output, write_json, write_text
from limner.core.protocols import Listener, Silent
from limner.data.checks import CheckReport, examine
from limner.data.images import write_image
from limner.evaluation.contact_sheet import render_contact_sheet

_QUIET = Silent()


def check(
    data: Path | str, *, out: Path | str | None = None, overwrite: bool = False, listener: Listener = _QUIET
) -> CheckReport:
    """Read every image and mask of a data set and report.

    Parameters
    ----------
    data : the data folder, or an annotation file with its pictures; nothing in it is changed.
    out : new folder for ``check.json``, ``contact_sheet.html`` and ``contact_sheet.png``; None writes nothing.
    overwrite : replace `out` when an earlier call made it.
    listener : hears of progress.

    Raises
    ------
    DataError : there is nothing to read, or ``limner.toml`` or ``splits.csv`` cannot be obeyed.
    OutputError : `out` exists, is or holds `data`, or may not be written.
    """
    data, out = Path(data), None if out is None else Path(out)
    if out is not None:
        check_output(out, overwrite=overwrite, inputs=[data])
    examination = examine(data, listener=listener)
    report = examination.report()
    if out is not None:
        prepare_output(out, overwrite=overwrite, inputs=[data])
        write_json(out / "check.json", report.as_dict())
        sheet, pictures = make_sheet(examination, data, listener=listener)
        write_text(out / "contact_sheet.html", render_contact_sheet(sheet))
        if pictures:
            write_image(out / "contact_sheet.png", tile(pictures))
    return report
