"""``limner convert``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.core.protocols import Listener


def convert(
    src: Path = typer.Argument(..., help="Folder of pictures and masks, or annotation file, in any layout."),
    dst: Path = typer.Argument(..., help="New folder."),
    to: str = typer.Option("masks", help="Format to write: masks, or one such as coco, via2, labelme, yolo-seg, cvat."),
    images: Path | None = typer.Option(None, help="Where the pictures of annotation files are; default: beside them."),
    class_attribute: str | None = typer.Option(None, help="Which attribute of VIA files names the class."),
    default_class: str | None = typer.Option(None, help="Class of regions that have none."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be written."),
    overwrite: bool = show.OVERWRITE,
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Carry annotations and masks over to masks with class ids, or to another format."""

    def verb(listener: Listener) -> dict[str, Any]:
        from limner.api.convert import convert as call

        return call(
            src,
            dst,
            to=to,
            images=images,
            class_attribute=class_attribute,
            default_class=default_class,
            dry_run=dry_run,
            overwrite=overwrite,
            listener=listener,
        )

    def lines(found: dict[str, Any]) -> None:
        print(f"{found['format']}: {found['images']} pictures, {found['images_without_objects']} without any object")
        if found["objects"] is not None:
            shapes = ", ".join(f"{count} {kind}" for kind, count in found["shapes"].items())
            print(f"{found['objects']} objects: {shapes or 'none'}")
        print("classes: " + ", ".join(f"{name or '(none)'} ({count})" for name, count in found["classes"].items()))
        if found["missing_images"]:
            shown = ", ".join(found["missing_images"][:5]) + (" ..." if len(found["missing_images"]) > 5 else "")
            print(f"{len(found['missing_images'])} pictures not found: {shown}")
        for kind, entries in (("warning", found["warnings"]), ("left out", found["refused"])):
            for entry in entries[:20]:
                place = f" ({entry['where']})" if entry["where"] else ""
                print(f"{kind}, {entry['code']}: {entry['message']}{place}")
            if len(entries) > 20:
                print(f"{kind}: {len(entries) - 20} more; --json lists all")
        print("nothing was written" if dry_run else f"written to {dst}")

    show.run(verb, show=lines, document=lambda found: found, as_json=as_json, debug=debug)
