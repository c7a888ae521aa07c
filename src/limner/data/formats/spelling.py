"""Names of classes that may be one class: offered to a person, never put together by themselves.

Two names of four letters or more are taken for one when a single letter was added, lost, changed or swapped with its neighbour
(Damerau 1964, doi:10.1145/363958.363994). Candidates are found by what is left when one letter is taken away, so that thousands of
names take no longer than a few.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator

SHORTEST = 4  # letters of the longer name; shorter ones such as cat and car are words of their own
LONGEST = 60
LARGEST_FAMILY = 12  # names that differ in one place: grade a, grade b, ... are a series, not slips
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_DIGITS = re.compile(r"\d+")
_WORDS = re.compile(r"[\W_]+")


def spelling_groups(names: Iterable[str]) -> list[tuple[tuple[str, ...], str]]:
    """Names that are probably meant to be one, and why.

    Parameters
    ----------
    names : of classes, in any number.

    Returns
    -------
    Groups of two names or more, each with the reason; in the order of the names. Empty when all is well.

    Examples
    --------
    >>> spelling_groups(["Cat", "dog ", "cats", "dog", "cel", "cell", "C1", "C2"])  # doctest: +NORMALIZE_WHITESPACE
    [(('dog ', 'dog'), 'they differ in spaces alone'), (('Cat', 'cats'), 'one is the plural of the other'),
     (('cel', 'cell'), 'they differ in one letter')]
    """
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(_key(name), []).append(name)
    found = [(tuple(group), _difference(group)) for group in groups.values() if len(group) > 1]
    pairs = dict.fromkeys(_plurals(groups), "one is the plural of the other")
    for pair in _slips(groups):
        pairs.setdefault(pair, "they differ in one letter")
    order = {key: number for number, key in enumerate(groups)}
    for (one, other), reason in sorted(pairs.items(), key=lambda item: [order[key] for key in item[0]]):
        found.append(((*groups[one], *groups[other]), reason))
    return found


def _key(name: str) -> str:
    """The name without what the eye does not see: spaces around, case, invisible signs, the form of its accents."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", name)).split()).casefold()


def _difference(group: list[str]) -> str:
    visible = {_INVISIBLE.sub("", unicodedata.normalize("NFC", name)) for name in group}
    if len(visible) == 1:
        return "they look the same and differ in invisible signs"
    if len({name.casefold() for name in visible}) == 1:
        return "they differ in upper and lower case alone"
    if len({" ".join(name.split()) for name in visible}) == 1:
        return "they differ in spaces alone"
    return "they differ in spaces and in upper and lower case"


def _plurals(groups: Iterable[str]) -> Iterator[tuple[str, str]]:
    keys = dict.fromkeys(groups)
    order = {key: number for number, key in enumerate(keys)}
    for key in keys:
        endings = [key + "s", key + "es"] + ([key[:-1] + "ies"] if key.endswith("y") else [])
        for plural in endings if len(key) >= 3 else ():
            if plural in keys:
                yield (key, plural) if order[key] < order[plural] else (plural, key)


def _slips(groups: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs that are one edit apart, in the order of the names."""
    keys = [key for key in groups if len(key) <= LONGEST]
    shorter: dict[str, dict[int, None]] = defaultdict(dict)
    for number, key in enumerate(keys):
        for form in {key, *(key[:i] + key[i + 1 :] for i in range(len(key)))}:
            shorter[form][number] = None
    pairs = {
        (one, other)
        for family in shorter.values()
        if 1 < len(family) <= LARGEST_FAMILY
        for one in family
        for other in family
        if one < other
    }
    for one, other in sorted(pairs):
        if _is_slip(keys[one], keys[other]):
            yield keys[one], keys[other]


def _is_slip(one: str, other: str) -> bool:
    letters = max(sum(sign.isalpha() for sign in name) for name in (one, other))
    if letters < SHORTEST or _DIGITS.sub("", one) == _DIGITS.sub("", other) or not _is_one_edit(one, other):
        return False
    words, other_words = _WORDS.split(one), _WORDS.split(other)
    if len(words) != len(other_words):
        return True  # a space or hyphen more
    different = [pair for pair in zip(words, other_words, strict=True) if pair[0] != pair[1]]
    # in "grade a" and "grade b" the letter is a name; the word that holds a slip is a word
    return not different or max(len(word) for word in different[0]) >= SHORTEST


def _is_one_edit(one: str, other: str) -> bool:
    """A single letter added, lost or changed, or two neighbours swapped."""
    short, long = sorted((one, other), key=len)
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) == len(long):
        is_swapped = (
            short[start : start + 2] == long[start : start + 2][::-1] and short[start + 2 :] == long[start + 2 :]
        )
        return short[start + 1 :] == long[start + 1 :] or is_swapped
    return len(long) - len(short) == 1 and short[start:] == long[start + 1 :]
