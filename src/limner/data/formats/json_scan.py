"""Look over a JSON text before it is parsed: depth, length of strings, number of values.

Works on pieces of a million signs with whole-array operations; what stands inside strings is told from what stands outside by the
parity of the quotes before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from limner.data.formats.json_numbers import Flaw, Numbers

DEEPEST = 100
LONGEST_STRING = 64 * 2**20
MOST_MEMORY = 3 * 2**29  # bytes that the parsed values may take
_CHUNK = 2**20
_BLANK = ord(" ")


@dataclass
class _State:
    """What the signs so far leave behind."""

    position: int = 0
    is_inside: bool = False  # a string
    is_escaped: bool = False  # the next sign
    depth: int = 0
    string_start: int = 0
    memory: int = 0
    numbers: Numbers = field(default_factory=Numbers)


def scan(text: str) -> tuple[Flaw | None, Flaw | None]:
    """The first reason not to parse a text at all, and the first number in it that is none or too large; None for no such.

    Of a text that is not to be parsed only the part before is looked at.
    """
    if not text or text.isspace():
        return Flaw("the file is empty", 0), None
    flaw = _without_quote(text)
    state = _State()
    while flaw is None and state.position < len(text):
        flaw = _scan_piece(text[state.position : state.position + _CHUNK], state)
    return flaw, state.numbers.odd


def _without_quote(text: str) -> Flaw | None:
    """A stretch without any quote, longer than a string may be: the quick way to find the plainest of giant strings."""
    start = 0
    while len(text) - start > LONGEST_STRING:
        last = text.rfind('"', start, start + LONGEST_STRING + 1)
        if last < 0:
            return Flaw(f"a string is longer than {LONGEST_STRING // 2**20} MiB", start, "shorter ones")
        start = last + 1
    return None


def _scan_piece(piece: str, state: _State) -> Flaw | None:
    signs = _as_bytes(piece)
    if state.is_escaped:
        signs[0] = ord("x")
    escaped = _escaped(signs)
    state.is_escaped = bool(len(escaped)) and int(escaped[-1]) == len(signs)
    is_quote = signs == ord('"')
    is_quote[escaped[escaped < len(signs)]] = False
    quotes = np.flatnonzero(is_quote)
    # the parity of the quotes up to a sign, itself included: quotes that open are inside, those that close are not
    inside = np.bitwise_xor.accumulate(is_quote) ^ state.is_inside
    flaw = _strings(quotes, len(signs), state)
    if flaw is None:
        signs[inside] = _BLANK
        flaw = _depth(signs, state) or state.numbers.look(signs.tobytes(), state.position)
    state.position += len(signs)
    return flaw


def _as_bytes(piece: str) -> npt.NDArray[np.uint8]:
    """One byte per sign; those beyond ASCII, which JSON has in strings only, become one of them."""
    if piece.isascii():
        return np.frombuffer(bytearray(piece.encode("ascii")), np.uint8)
    wide = np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), np.dtype("<u4"))
    return np.minimum(wide, 127).astype(np.uint8)


def _escaped(signs: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Places that follow an escaping backslash: the first, third, ... of a run of them escapes the next sign."""
    slashes = np.flatnonzero(signs == ord("\\"))
    if not len(slashes):
        return slashes
    begins = np.ones(len(slashes), bool)
    begins[1:] = slashes[1:] != slashes[:-1] + 1
    run_start = slashes[begins][np.cumsum(begins) - 1]
    return np.asarray(slashes[(slashes - run_start) % 2 == 0] + 1, np.intp)


def _strings(quotes: npt.NDArray[np.intp], length: int, state: _State) -> Flaw | None:
    """Follow strings across pieces; refuse one that is too long."""
    places = quotes + state.position
    opening = np.arange(len(quotes)) % 2 == (1 if state.is_inside else 0)
    starts = places[opening]
    if state.is_inside:
        starts = np.concatenate([[state.string_start], starts])
    ends = places[~opening]
    still_inside = len(starts) > len(ends)
    if still_inside:
        ends = np.append(ends, state.position + length)
        state.string_start = int(starts[-1])
    state.is_inside = still_inside
    if len(starts) and int((ends - starts).max()) > LONGEST_STRING:
        worst = int((ends - starts).argmax())
        return Flaw(f"a string is longer than {LONGEST_STRING // 2**20} MiB", int(starts[worst]), "shorter ones")
    return None


def _depth(signs: npt.NDArray[np.uint8], state: _State) -> Flaw | None:
    """Count brackets and commas outside of strings."""
    steps = _STEP[signs]
    places = np.flatnonzero(steps)
    depth = state.depth + np.cumsum(steps[places], dtype=np.int64)
    if len(depth):
        if int(depth.max()) > DEEPEST:
            at = int(np.argmax(depth > DEEPEST))
            return Flaw(f"values are nested more than {DEEPEST} deep", state.position + int(places[at]), "less")
        state.depth = int(depth[-1])
    for sign, bytes_each in _MEMORY.items():
        state.memory += bytes_each * int(np.count_nonzero(signs == sign))
    if state.memory > MOST_MEMORY:
        return Flaw("the file holds so many values that they would fill the memory", state.position, "smaller files")
    return None


_STEP = np.zeros(256, np.int8)
_STEP[list(b"[{")], _STEP[list(b"]}")] = 1, -1
# bytes of a list, an object and one more value, about, in CPython
_MEMORY = {ord("["): 64, ord("{"): 200, ord(","): 40}
