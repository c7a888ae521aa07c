"""Where a path in an annotation file may lead: nothing is opened, and nothing outside the folder of the pictures is meant."""

from __future__ import annotations

from pathlib import PurePosixPath

from limner.data.images import SUFFIXES


def is_bare(name: str) -> bool:
    """The name has no suffix of a picture, as in YOLO, whose files name none."""
    return PurePosixPath(name).suffix.lower() not in SUFFIXES


def places(image: str, folder: str) -> list[str]:
    """Where a relative path may lead: from the folder of the file, from that of the pictures, from ``images`` beside ``labels``.

    Parameters
    ----------
    image : as the annotation file has it.
    folder : where that file lies, relative to the pictures.

    Returns
    -------
    Paths relative to the pictures, the likeliest first; none for URLs and absolute paths, which say nothing about this folder.

    Examples
    --------
    >>> places("../images/a.png", "json"), places("1", "train/labels"), places("../a.png", "")
    (['images/a.png'], ['train/labels/1', 'train/images/1', '1'], [])
    """
    text = image.replace("\\", "/").strip()
    if not text or "://" in text[:12] or text.startswith(("data:", "/")) or text[1:3] == ":/":
        return []
    beside = _beside_labels(folder)
    twin = [f"{beside}/{text.rpartition('/')[2]}"] if beside else []
    # a YOLO file says what lies below labels/, so that a/labels/1.txt means a/images/1 before any 1 elsewhere
    wanted = [f"{folder}/{text}", *twin, text] if is_bare(text) else [f"{folder}/{text}", text, *twin]
    return [place for place in map(_resolved, wanted) if place]


def _beside_labels(folder: str) -> str:
    """The folder with its last ``labels`` made ``images``; empty when it has none."""
    parts = folder.split("/")
    found = [index for index, part in enumerate(parts) if part.lower() == "labels"]
    return "/".join([*parts[: found[-1]], "images", *parts[found[-1] + 1 :]]) if found else ""


def _resolved(path: str) -> str:
    """The path without ``.`` and ``..``; empty when it leads out of the folder of the pictures."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
