"""Which pictures belong together, as their file and folder names show it.

A guess is made only when it explains every name, gives at least three groups, and most groups have two pictures or more, so a
plain counter such as ``img001`` never becomes a group. Words that name what somebody is (``patient7``) are believed as soon as
one of them has two pictures, and when up to a tenth of the names have none (``control``): those are then groups of their own, so
that one odd name does not undo the protection of all. Copies and pieces of one picture (`limner.data.name_marks`) follow it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from limner.data.layouts import IMAGE_FOLDERS, MASK_FOLDERS, SPLITS, Item
from limner.data.name_marks import base_of, common_ending, is_place, join_dates, part_dates, pieces_of, series_of

FEWEST = 3  # groups: with fewer, no part but the training would have two
MOST_ODD = 0.1  # share of names without a word such as patient that are taken for odd ones
WORTH_TELLING = (
    0.5  # share of names with such a word from which on the others are told, even if nothing follows from it
)
FEWEST_WORDS = 5  # names without a number before the counter: fewer are kinds of pictures, such as benign and malignant

_WHO = (  # most of all a person or an animal, then what was looked at, then when
    "patient|pat|pt", "subject|subj|sub", "person|participant|donor|proband", "case", "animal|mouse|rat|dog|pig",
    "specimen|sample|biopsy|block", "volume|vol|scan|slide|wsi|stack", "plate|dish", "video|clip|movie|seq|sequence|track",
    "study|series|session|exam",
)  # fmt: skip
_NUMBERED = r"(?:^|[-_ ./])((?:{})[-_ ]?[a-z]?\d+|(?:{})(?:[-_ ][a-z]|(?-i:[A-Z])))(?=$|[-_ ./])"
_VIDEO = re.compile(r"(?:^|/)([^/]+?[-_.](?:mp4|avi|mov|mkv|wmv|m4v|mpe?g))(?=$|[-_. ])", re.IGNORECASE)
_SIDES = re.compile(r"^(.*\d)(?:[-_ ]?[LRlr]|[-_ ]?(?:left|right|OD|OS|od|os))$")
_CAMERA = re.compile(
    r"^(?:img|image|pic|picture|photo|foto|frame|dsc[nf]?|pxl|mvimg|vid|wp|scan|file|tile|patch)?$", re.I
)
_YEAR = re.compile(r"^(?:19|20)\d\d$")
_KINDS = frozenset({  # folders that say how a picture was made, not of whom
    "orig", "original", "raw", "aug", "augmented", "flip", "flipped", "rot", "rotated", "mirrored", "noisy", "blurred", "rgb",
    "gray", "grey", "nir", "depth", "day", "night", "left", "right", "t1", "t1w", "t1ce", "t2", "t2w", "flair", "adc", "dwi", "pd",
    "ct", "mr", "mri", "pet", "he", "ihc",
})  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """What names show.

    Parameters
    ----------
    groups : group of each picture by item name; empty when there are none.
    seen : where they were seen, in words.
    aside : what else was seen and is not acted on, as half a sentence; empty as a rule.
    too_few : a sentence where names show fewer than three groups, which cannot be kept apart.
    odd : a sentence where most names, but not all, have a word such as patient.
    strong : a word such as patient names the groups, so that little of the guess is a guess.
    """

    groups: Mapping[str, str] = field(default_factory=dict)
    seen: str = ""
    aside: str = ""
    too_few: str = ""
    odd: str = ""
    strong: bool = False


def guess_groups(items: Sequence[Item]) -> tuple[dict[str, str], str]:
    """Groups of the pictures by item name, and where they were seen; both empty when names show none.

    Examples
    --------
    >>> from pathlib import Path
    >>> names = [f"images/s{who}-{z}.png" for who in (1, 2, 3) for z in (1, 2)]
    >>> groups, seen = guess_groups([Item(name, Path(name), None) for name in names])
    >>> groups["images/s2-1.png"], seen
    ('s2', 'file names before the last counter')
    """
    shown = names_show(items)
    return dict(shown.groups), shown.seen


def names_show(items: Sequence[Item]) -> Shown:
    """What file and folder names show about the pictures that belong together."""
    bases = _bases(items)
    stems = _without_ending({name: join_dates(base.rpartition("/")[2]) for name, base in bases.items()})
    paths = {name: f"{base.rpartition('/')[0]}/{stems[name]}".strip("/") for name, base in bases.items()}
    found = [_by_words(words, paths) for words in (*_WHO, "|".join(_WHO))]
    for named in found:
        if _believed(named, strong=True):
            return Shown(_plain(named), _where(named, stems), strong=True)
    odd, said = "", dict[str, str]()
    for named in found:
        known = {name: group for name, group in named.items() if group}
        if len(known) < WORTH_TELLING * len(named) or not _believed(known, strong=True):
            continue
        alone = {name: series_of(stems[name]) or paths[name] for name in named if name not in known}
        obeyed = len(alone) <= MOST_ODD * len(named)
        odd, said = (odd, said) if odd else (_odd(known, sorted(alone), obeyed=obeyed), known)
        if obeyed:
            return Shown(
                _plain({**named, **alone}),
                _where(known, stems),
                odd=_odd(known, sorted(alone), obeyed=True),
                strong=True,
            )
    rules: tuple[tuple[str, Callable[[], Mapping[str, str]]], ...] = (
        ("names of videos", lambda: {name: first_match(_VIDEO, path) for name, path in paths.items()}),
        ("folder names", lambda: _by_folder(bases)),
        ("the files that hold several pictures", lambda: {i.name: i.image.name * (i.frame is not None) for i in items}),
        ("left and right of one number", lambda: {name: first_match(_SIDES, stem) for name, stem in stems.items()}),
        ("file names before the last counter", lambda: _by_series(stems)),
    )
    for seen, find in rules:
        groups = find()
        if _believed(groups, strong=False):
            return Shown(_plain(groups), seen, odd=odd if _are_split(said, groups) else "")
    copies = Counter(bases.values())
    if len(copies) > 1 and max(copies.values()) > 1 and any(bases[item.name] != _key(item) for item in items):
        return Shown(
            _plain(bases), "names of copies and pieces of one picture", odd=odd if _are_split(said, bases) else ""
        )
    return Shown(aside=_kinds(stems), too_few=_too_few(found[-1], stems), odd=odd)


def _are_split(known: Mapping[str, str], groups: Mapping[str, str]) -> bool:
    """Whether pictures of one of the known groups are in several of the others, so that parts may share it."""
    return len(set(known.values())) < len({(group, groups[name]) for name, group in known.items()})


def _by_words(words: str, paths: Mapping[str, str]) -> dict[str, str]:
    """What stands for somebody in each name, by words such as ``patient|pat``; empty where nothing does."""
    numbered = re.compile(_NUMBERED.format(words, words), re.IGNORECASE)
    return {name: first_match(numbered, path) for name, path in paths.items()}


def _where(named: Mapping[str, str], stems: Mapping[str, str]) -> str:
    return "file names" if _in_stems(named, stems) else "folder and file names"


def _odd(known: Mapping[str, str], alone: Sequence[str], *, obeyed: bool) -> str:
    groups = set(known.values())
    more = f" and {len(alone) - 1} more do not" if len(alone) > 1 else " does not"
    text = f"{len(known)} of {len(known) + len(alone)} names show {len(groups)} groups such as {min(groups)}; {alone[0]}{more}"
    if obeyed:
        return f"{text} and {'are groups' if len(alone) > 1 else 'is a group'} of {'their' if len(alone) > 1 else 'its'} own"
    return f"{text}, so those groups are not used: parts may share them; correct the names, or set split.group_by"


def _bases(items: Sequence[Item]) -> dict[str, str]:
    """Folders and stem of the picture that each item is a copy or a piece of; its own where nothing is believable."""
    keys = {item.name: _key(item) for item in items}
    known = {key.rpartition("/")[2] for key in keys.values()}
    stems = {name: base_of(key.rpartition("/")[2], known) for name, key in keys.items()}
    pieces = pieces_of(sorted(set(stems.values())))
    stems = {name: pieces.get(stem, stem) for name, stem in stems.items()}
    folders = {name: key.rpartition("/")[0] for name, key in keys.items()}
    if folders and all(_is_kind(folder) for folder in folders.values()) and len(set(stems.values())) > 1:
        folders = dict.fromkeys(folders, "")  # flip/a.png and orig/a.png, or t1/p7.png and t2/p7.png
    bases = {name: f"{folders[name]}/{stem}".strip("/") for name, stem in stems.items()}
    return bases if len(set(bases.values())) > 1 else keys


def _key(item: Item) -> str:
    """Folders that say something, and the stem."""
    return f"{folder_of(item)}/{stem_of(item)}".strip("/")


def stem_of(item: Item) -> str:
    """The file name without its last suffix."""
    return PurePosixPath(item.name).stem


def folder_of(item: Item) -> str:
    """The folders of an item that say something: not those that every layout has."""
    known = (*IMAGE_FOLDERS, *MASK_FOLDERS, *SPLITS)
    return "/".join(part for part in PurePosixPath(item.name).parts[:-1] if part.lower() not in known)


def _is_kind(folder: str) -> bool:
    return bool(folder) and all(part.lower() in _KINDS for part in folder.split("/"))


def _without_ending(stems: Mapping[str, str]) -> dict[str, str]:
    ending = common_ending(sorted(set(stems.values())))
    return {name: stem.removesuffix(ending) for name, stem in stems.items()}


def first_match(expression: re.Pattern[str], text: str) -> str:
    """The first group of a match that is not empty, or the whole match; empty without one."""
    match = expression.search(text)
    if match is None:
        return ""
    return next((part for part in match.groups() if part), match.group(0))


def _by_folder(bases: Mapping[str, str]) -> dict[str, str]:
    """The outermost folders that are believable: of ``anna/left/1.png`` anna, and not each of her sides."""
    parts = {name: base.split("/")[:-1] for name, base in bases.items()}
    for depth in range(1, max((len(each) for each in parts.values()), default=0) + 1):
        groups = {name: "/".join(each[:depth]) for name, each in parts.items()}
        if _believed(groups, strong=False):
            return groups
    return {}


def _by_series(stems: Mapping[str, str]) -> dict[str, str]:
    """What stands before the counter, unless it is the name of a camera, a year, or one of a few words."""
    groups = {name: series_of(stem) for name, stem in stems.items()}
    kinds = set(groups.values())
    if all(_YEAR.match(kind) or _CAMERA.match(kind) for kind in kinds):
        return {}
    wordy = not any(letter.isdigit() for kind in kinds for letter in kind)
    if wordy and len(kinds) < FEWEST_WORDS and not all(is_place(stem) for stem in stems.values()):
        return {}
    return groups


def _believed(groups: Mapping[str, str], *, strong: bool) -> bool:
    sizes = Counter(groups.values())
    several = sum(size >= 2 for size in sizes.values())
    enough = several > 0 if strong else 2 * several > len(sizes)
    return "" not in sizes and len(sizes) >= FEWEST and enough


def _plain(groups: Mapping[str, str]) -> dict[str, str]:
    return {name: part_dates(group) for name, group in groups.items()}


def _in_stems(groups: Mapping[str, str], stems: Mapping[str, str]) -> bool:
    return all(group in stems[name] for name, group in groups.items())


def _is_few(groups: Mapping[str, str]) -> bool:
    numbered = all(any(map(str.isdigit, group)) for group in groups.values())
    return numbered and 0 < len(set(groups.values())) < FEWEST and len(groups) >= 2 * FEWEST


def _kinds(stems: Mapping[str, str]) -> str:
    kinds = sorted({series_of(stem) for stem in stems.values()})
    wordy = not any(letter.isdigit() for kind in kinds for letter in kind) and not any(map(_CAMERA.match, kinds))
    if not wordy or not 2 <= len(kinds) < FEWEST_WORDS:
        return ""
    return f"names begin with {len(kinds)} words such as {kinds[0]}, taken for kinds and not for groups"


def _too_few(named: Mapping[str, str], stems: Mapping[str, str]) -> str:
    """A sentence about one or two groups that names show by a word such as patient, or by numbering slices."""
    if not _is_few(named) and all(is_place(stem) for stem in stems.values()):
        named = {name: series_of(stem) for name, stem in stems.items()}
    if not _is_few(named):
        return ""
    kinds = sorted(set(named.values()))
    shown = f"one group ({kinds[0]})" if len(kinds) == 1 else f"two groups ({kinds[0]}, {kinds[1]})"
    return f"file names show {part_dates(shown)} only: parts share it, so the score says little about new ones"
