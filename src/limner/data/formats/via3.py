"""VIA 3 projects (VGG Image Annotator): files, views of files, and metadata about views.

``file`` has the pictures by id, ``view`` which files are shown together, ``project.vid_list`` the order of the views. An entry of
``metadata`` is a region when ``xy`` holds a shape, an answer about the whole file when it is empty; ``z`` holds times of a video.
``av`` holds answers by attribute id; answers to anything but text are option ids, several of them joined by commas. Where a file
lies (``config.file.loc_prefix``, ``src``) is never followed.

Source: data format 3.1.1, https://gitlab.com/vgg/via/-/blob/master/via-3.x.y/CodeDoc.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from limner.core.annotation import Annotation, AnnotationSet, Region
from limner.data.formats import embedded
from limner.data.formats.fields import identifier, whole
from limner.data.formats.foreign import as_dict, entries, plain, short, shown, warn_of_copies
from limner.data.formats.format import Content, Format, wrong
from limner.data.formats.geometry import Notes, Refusal
from limner.data.formats.ledger import Ledger
from limner.data.formats.via3_records import Via3File, read_xy
from limner.data.formats.via3_write import write
from limner.data.formats.via_regions import GROUP, count_answers

NOT_PICTURES = {4: "a video", 8: "a sound"}
INLINE = 4  # a file whose picture stands in the project


def _sniff(content: Content) -> bool:
    document = content.json
    if not isinstance(document, dict):
        return False
    return "file" in document and "view" in document and ("metadata" in document or "project" in document)


@dataclass
class _Picture:
    """What is known of one file while the metadata are read."""

    record: dict[str, Any]
    where: str
    regions: list[Region] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Pictures:
    """The files by id, in the order in which they are shown, and the first file of each view."""

    by_id: dict[str, _Picture] = field(default_factory=dict)
    first_of: dict[str, str] = field(default_factory=dict)


def read(content: Content) -> AnnotationSet:
    """The regions of a VIA 3 project; labels are empty until a class is chosen (`limner.data.formats.classes`)."""
    document = content.json
    if not isinstance(document, dict) or not _sniff(content):
        raise wrong(content, "no project of VIA 3", "an object with file, view and metadata")
    ledger = Ledger.of(content)
    rest = Via3File.of(document)
    pictures = _pictures(document, ledger)
    for key, raw in entries(document.get("metadata")):
        where = f"metadata/{short(key)}"
        with ledger.record(where) as notes:
            _read_metadata(key, raw, rest, pictures, where, notes)
    images = tuple(_annotation(picture, ledger) for picture in pictures.by_id.values())
    return AnnotationSet(
        "via3", images, attributes=count_answers(images), warnings=ledger.warnings, refused=ledger.refused, record=rest
    )


def _pictures(document: Mapping[str, Any], ledger: Ledger) -> _Pictures:
    """The pictures in the order of the views, then those in no view."""
    files = {}
    for key, raw in entries(document.get("file")):
        if isinstance(raw, dict):
            files[key] = raw
        else:
            text = f"the file is {shown(raw)}; an object is expected; left out"
            ledger.warn("not-a-picture", text, f"file/{short(key)}")
    views = {key: as_dict(raw) for key, raw in entries(document.get("view"))}
    listed = [identifier(vid) or "" for _, vid in entries(as_dict(document.get("project")).get("vid_list"))]
    pictures = _Pictures()
    for vid in dict.fromkeys([*(vid for vid in listed if vid in views), *views]):
        shown_files = [identifier(fid) or "" for _, fid in entries(views[vid].get("fid_list"))]
        known = [fid for fid in shown_files if fid in files]
        if known:
            pictures.first_of[vid] = known[0]
        if len(known) > 1:
            text = f"the view shows {len(known)} files; its regions are taken to lie on the first"
            ledger.warn("several-files", text, f"view/{short(vid)}")
        for fid in known:
            record = {"fid": fid, "file": files[fid], "vid": vid, "view": views[vid], "metadata": {}}
            pictures.by_id.setdefault(fid, _Picture(record, f"file/{short(fid)}"))
    for fid, raw in files.items():
        record = {"fid": fid, "file": raw, "vid": "", "view": {}, "metadata": {}}
        pictures.by_id.setdefault(fid, _Picture(record, f"file/{short(fid)}"))
    return pictures


def _read_metadata(key: str, raw: Any, rest: Via3File, pictures: _Pictures, where: str, notes: Notes) -> None:
    """One entry: a region goes to its picture, an answer about a file likewise."""
    if not isinstance(raw, dict):
        raise Refusal("not-a-region", f"the entry is {shown(raw)}; an object with vid, xy and av is expected")
    xy, fid = raw.get("xy"), pictures.first_of.get(identifier(raw.get("vid")) or "")
    if raw.get("z"):
        what = "a region in a frame" if xy else "a stretch of time"
        raise Refusal("video", f"the entry is {what} of a video or sound; regions of still pictures are expected")
    answers = rest.answers(raw.get("av"))
    group = plain(answers.pop(GROUP, ""))
    if xy is None or xy == []:  # about the file, no object
        if fid is not None:
            pictures.by_id[fid].answers |= answers
            pictures.by_id[fid].record["metadata"][key] = raw
        return
    if fid is None:
        raise Refusal("unknown-picture", f"vid is {shown(raw.get('vid'))}; a view of this project is expected")
    record = {"id": key, "metadata": raw}
    region = Region("", read_xy(xy, notes), group=group, attributes=answers, record=record, where=where)
    pictures.by_id[fid].regions.append(region)


def _annotation(picture: _Picture, ledger: Ledger) -> Annotation:
    raw, where = picture.record["file"], picture.where
    name = next((raw[key] for key in ("fname", "src") if isinstance(raw.get(key), str) and raw[key]), "")
    if not name or name.startswith("data:"):
        name = picture.record["fid"]
        ledger.warn("no-file-name", f"the picture has no file name; its id is taken: {shown(name)}", where)
    kind = NOT_PICTURES.get(whole(raw.get("type")) or 0)
    if kind:
        ledger.warn("not-a-picture", f"{shown(name)} is {kind}; only regions of still pictures are read", where)
    objects = (([r.record["metadata"].get(key) for key in ("xy", "av")], r.where) for r in picture.regions)
    warn_of_copies(ledger, objects, name)
    return Annotation(
        name, tuple(picture.regions), pixels=_pixels(raw, where, ledger), attributes=picture.answers,
        record=picture.record, where=where,
    )  # fmt: skip


def _pixels(raw: Mapping[str, Any], where: str, ledger: Ledger) -> bytes | None:
    """The picture that stands inside the project."""
    source = raw.get("src")
    if whole(raw.get("loc")) != INLINE or not isinstance(source, str) or not source.startswith("data:"):
        return None
    try:
        return embedded.picture(source)
    except Refusal as refusal:
        ledger.warn(refusal.code, f"{refusal.message}; the picture is looked for as a file", where)
        return None


FORMAT = Format("via3", "VIA 3 project (VGG Image Annotator)", _sniff, read, write)
