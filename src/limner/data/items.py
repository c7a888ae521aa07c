"""One picture of a data set, and all pictures of a folder with what is known before any pixel is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from limner.core.labels import LabelSpace
from limner.data.declared import Declared
from limner.data.drawing import Drawing
from limner.data.findings import Finding


@dataclass(frozen=True)
class Item:
    """One picture of a data set.

    Parameters
    ----------
    name : path of the image relative to the data, with forward slashes.
    image, mask : the files; mask is None where there is none.
    split : ``train``, ``val``, ``test``, or empty when none is given.
    group : pictures of one group must stay together; empty when not known.
    drawing : regions in place of a mask file.
    channels : further files of the same picture, one channel each, after `image`.
    frame : which page or slice of the files; None where a file is one picture.
    is_volume : `group` is the volume that the picture is a slice of, which nobody declared.
    instances : a file in which each object has a number of its own; or one mask file for each object (`mask` is then their
        folder); None where files do not tell objects apart. The same file as `mask` where there are no class ids.
    """

    name: str
    image: Path
    mask: Path | None
    split: str = ""
    group: str = ""
    drawing: Drawing | None = field(default=None, repr=False, compare=False)
    channels: tuple[Path, ...] = ()
    frame: int | None = None
    instances: Path | tuple[Path, ...] | None = None
    is_volume: bool = False


@dataclass(frozen=True)
class Layout:
    """What a folder holds.

    Parameters
    ----------
    items : pictures with a mask, in order of their names.
    lonely_images, lonely_masks : files without a partner, relative to the data.
    ambiguous : sets of files of which it is not clear which belong together.
    unlisted : images that ``splits.csv`` does not name.
    split_rule : where a given split comes from, or an empty string.
    declared : what ``limner.toml`` says.
    format : how the annotations are stored.
    findings : what reading annotation files showed.
    label_space : the classes, where the annotations name them; None = masks are looked at.
    words : how the annotations are read, as a sentence; empty for masks.
    """

    items: tuple[Item, ...]
    lonely_images: tuple[str, ...]
    lonely_masks: tuple[str, ...]
    ambiguous: tuple[tuple[str, ...], ...]
    unlisted: tuple[str, ...]
    split_rule: str
    declared: Declared
    format: str = "folders"
    findings: tuple[Finding, ...] = ()
    label_space: LabelSpace | None = None
    words: str = ""
