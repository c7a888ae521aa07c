"""What a file name says beside whose picture it is: that it is a copy, a piece, a slice or a frame of something.

    base_of("slide3_x0_y512")        slide3         a piece
    base_of("a_flip_rot90")          a              a changed copy
    base_of("eye_png.rf.174376ba")   eye            a copy by Roboflow
    series_of("P01_s2_z05")          P01            a slice
    series_of("IMG_0001")            IMG            a counter; whether that is a group is decided elsewhere

Copies and pieces of one picture are as good as the picture itself, so they must never be in two parts of a split.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

SEPARATORS = "-_ ."
_CHANGES = (
    "aug(?:mented|mentation)?|[hv]?flip(?:ped|lr|ud|h|v|x|y)?|mirror(?:ed)?|rot(?:ate|ated|ation)?|copy|duplicate|dup"
)
_PERHAPS = (  # words that may as well say what a picture shows; the name before them must be one of a single picture
    "crop(?:ped)?|zoom(?:ed)?|scaled?|shift(?:ed)?|shear(?:ed)?|distort(?:ed)?|nois[ey]|blur(?:red)?|bright(?:ness|ened)?|"
    "dark(?:ened)?|contrast|gamma|gr[ae]y(?:scale)?|hsv|invert(?:ed)?|equali[sz]ed|clahe|sharpen(?:ed)?|resized"
)
_HOW = "h|v|x|y|lr|ud|horizontal|vertical|horizontally|vertically|left|right|up|down|deg"
_SIDE = r"(?:x|y|r|c|row|col|column)[-_=]?\d+"


def _changed(words: str) -> re.Pattern[str]:
    """A name, then what was done to the picture, how much or which time, and in which direction."""
    times = rf"(?:[{SEPARATORS}]*(?:\d{{1,4}}|\(\d+\)))?"
    return re.compile(
        rf"^(?P<base>.+?)(?:[{SEPARATORS}]+|[{SEPARATORS}]*\()(?:{words}){times}(?:[{SEPARATORS}]?(?:{_HOW}))?\)?$",
        re.IGNORECASE,
    )


_BEHIND = (  # a name in front of a mark; each may be taken away several times
    re.compile(r"^(?P<base>.+)_(?:jpe?g|png|bmp|tiff?|webp)\.rf\.[0-9A-Za-z]{8,}$"),
    re.compile(r"^.+_original_(?P<base>.+)\.(?:jpe?g|png|bmp|tiff?)_[0-9a-f]{8}-[0-9a-f-]{27}$"),  # Augmentor
    _changed(_CHANGES),
    re.compile(r"^(?P<base>.+?) ?\[[^\]]*\bx=\d+[^\]]*\]$", re.IGNORECASE),  # QuPath
    re.compile(
        rf"^(?P<base>.+?)[{SEPARATORS}]+{_SIDE}[-_, ]?{_SIDE}(?:[-_, ]?[whs][-_=]?\d+)*$",
        re.IGNORECASE,
    ),
    re.compile(
        rf"^(?P<base>.+?)[{SEPARATORS}]+(?:tile|patch|chip)(?:[-_ ]?\d+){{1,4}}$",
        re.IGNORECASE,
    ),
)
_PERHAPS_BEHIND = _changed(_PERHAPS)
_BEFORE = re.compile(
    rf"^(?:{_CHANGES}|{_PERHAPS})(?:[-_ ]?\d{{1,4}})?[-_ ]+(?:of[-_ ]+)?(?P<base>.+)$", re.IGNORECASE
)  # aug_3_a, flipped_a, copy of a
_AGAIN = re.compile(r"^(?P<base>.+?) ?\(\d+\)$")  # what a browser makes of a second download
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.](0[1-9]|1[0-2])[-_.](0[1-9]|[12]\d|3[01])(?!\d)")
_JOINED = "~"  # holds the parts of a date together

_POSITION = "z|t|s|f|c|ch|w|sl|slice|frame|time|tp|pos|echo|level|plane|view|step"
_COUNTER = re.compile(
    rf"^(.*[A-Za-z0-9].*?)(?:[{SEPARATORS}]+[A-Za-z]{{0,6}}[-_ ]?\d[\d{_JOINED}]*|[{SEPARATORS}]*\(\d+\))$"
)
_PLACE = re.compile(rf"^(.+)[{SEPARATORS}]+(?:{_POSITION})[-_ ]?\d+$", re.IGNORECASE)
_CLOSE = re.compile(r"^([A-Za-z]+\d+)[A-Za-z]+\d+$")  # P01z05
_TWO = re.compile(r"^(.*[A-Za-z0-9])[-_ ](\d+)[-_ ](\d+)$")
FEWEST_PIXELS = 16  # coordinates of pieces are multiples of at least so many


def base_of(stem: str, known: Collection[str] = ()) -> str:
    """The name of the picture that `stem` is a copy or a piece of; `stem` itself where nothing says so.

    Parameters
    ----------
    stem : a file name without its suffix.
    known : all stems. What may mean something else as well counts only when a known name is left: a bare number behind a mark
        (``aug_3_12``), a number in brackets (``a (1)``), and, unless the name that is left has a number, words such as ``dark``.

    Examples
    --------
    >>> base_of("slide3_x0_y512"), base_of("a_flip_rot90"), base_of("aug_3_a"), base_of("tile_5")
    ('slide3', 'a', 'a', 'tile_5')
    >>> base_of("cells_dark_2"), base_of("p7_dark_2"), base_of("cells_dark", {"cells"})
    ('cells_dark_2', 'p7', 'cells')
    """
    while True:
        found = [match["base"] for pattern in _BEHIND if (match := pattern.match(stem))]
        if (match := _PERHAPS_BEHIND.match(stem)) and (match["base"] in known or any(map(str.isdigit, match["base"]))):
            found.append(match["base"])
        if (match := _BEFORE.match(stem)) and (not match["base"].isdigit() or match["base"] in known):
            found.append(match["base"])
        if (match := _AGAIN.match(stem)) and match["base"] in known:
            found.append(match["base"])
        left = next((base for base in (part.strip(SEPARATORS) for part in found) if base), "")
        if not left:
            return stem
        stem = left


def join_dates(stem: str) -> str:
    """`stem` with dates held together, so that no day is taken for a counter; `part_dates` undoes it."""
    return _DATE.sub(rf"\1{_JOINED}\2{_JOINED}\3", stem)


def part_dates(stem: str) -> str:
    """The inverse of `join_dates`; dates are written with hyphens."""
    return stem.replace(_JOINED, "-")


def series_of(stem: str) -> str:
    """What stands before the last counter, and before the slice, frame or channel in front of that; empty without a counter.

    Examples
    --------
    >>> series_of("P01_s2_z05"), series_of("0001TP_006690"), series_of("P01z05"), series_of("img001")
    ('P01', '0001TP', 'P01', '')
    """
    match = _COUNTER.match(stem) or _CLOSE.match(stem)
    if match is None:
        return ""
    left = match[1]
    while place := _PLACE.match(left):
        left = place[1]
    return left.strip(SEPARATORS)


def is_place(stem: str) -> bool:
    """Whether `stem` ends by saying which slice, frame or channel it is, as in ``anna_z05``."""
    return _PLACE.match(stem) is not None


def pieces_of(stems: Sequence[str]) -> dict[str, str]:
    """The name before two bare numbers that are places in a grid, as in ``slideA_0_512``; empty unless all stems have them.

    Numbers are places when all are multiples of `FEWEST_PIXELS`, or when in most names before them each row has each column.

    Examples
    --------
    >>> pieces_of(["a_0_0", "a_0_512", "a_512_0"])["a_0_512"]
    'a'
    >>> pieces_of(["site_1_7", "site_2_5"])
    {}
    """
    found = {stem: _TWO.match(stem) for stem in stems}
    places: dict[str, set[tuple[int, int]]] = {}
    for match in found.values():
        if match is None or len(match[2]) > 9 or len(match[3]) > 9:
            return {}
        places.setdefault(match[1], set()).add((int(match[2]), int(match[3])))
    everywhere = [place for each in places.values() for place in each]
    several = all(len({place[axis] for place in everywhere}) > 1 for axis in (0, 1))
    in_pixels = several and all(number % FEWEST_PIXELS == 0 for place in everywhere for number in place)
    grids = sum(_is_grid(each) for each in places.values())
    if in_pixels or 2 * grids > len(places):
        return {stem: match[1] for stem, match in found.items() if match is not None}
    return {}


def _is_grid(places: set[tuple[int, int]]) -> bool:
    rows, columns = {row for row, _ in places}, {column for _, column in places}
    return min(len(rows), len(columns)) >= 2 and len(places) == len(rows) * len(columns)


def common_ending(stems: Sequence[str]) -> str:
    """What all stems end in, from a separator on, such as ``_SEM`` or the channel ``_0000``; empty for fewer than two.

    Examples
    --------
    >>> common_ending(["rat1_12_SEM", "rat2_14_SEM"]), common_ending(["P01_z05", "P02_z05"]), common_ending(["a1", "b1"])
    ('_SEM', '_z05', '')
    """
    if len(stems) < 2:
        return ""
    first, shortest = stems[0], min(len(stem) for stem in stems)
    length = 0
    while length < shortest - 1 and all(stem[-length - 1] == first[-length - 1] for stem in stems):
        length += 1
    ending = first[len(first) - length :]
    start = next((index for index, letter in enumerate(ending) if letter in SEPARATORS), len(ending))
    return ending[start:]
