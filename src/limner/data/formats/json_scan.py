"""Look over a JSON text before it is parsed: depth, length of strings, number of values, numbers out of range.

Works on pieces of a million signs with whole-array operations; what stands inside strings is told from what stands outside by the
parity of the quotes before it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

DEEPEST = 100
LONGEST_STRING = 64 * 2**20
LONGEST_INTEGER = 20
LONGEST_NUMBER = 1000
MOST_MEMORY = 3 * 2**29  # bytes that the parsed values may take
_CHUNK = 2**20
_TAIL = 2 * LONGEST_NUMBER  # signs kept from the piece before, so that no number is cut
_MOST_SUSPECTS = 10_000
_LARGE_EXPONENT = 200  # 21 digits before it do not reach infinity below
_BLANK = ord(" ")


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a text, and at which sign; counted from 0."""

    found: str
    position: int
    expected: str = "JSON"


@dataclass
class _State:
    """What the signs so far leave behind."""

    position: int = 0
    is_inside: bool = False  # a string
    is_escaped: bool = False  # the next sign
    depth: int = 0
    string_start: int = 0
    memory: int = 0
    suspects: int = 0
    tail: bytes = b""


def scan(text: str) -> Flaw | None:
    """The first reason not to parse a text, or None."""
    if not text or text.isspace():
        return Flaw("the file is empty", 0)
    stretch = _without_quote(text)
    if stretch is not None:
        return stretch
    state = _State()
    while state.position < len(text):
        flaw = _scan_piece(text[state.position : state.position + _CHUNK], state)
        if flaw is not None:
            return flaw
    return None


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
        flaw = _depth(signs, state) or _numbers(signs, state)
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
_MEMORY = {
    ord("["): 64,
    ord("{"): 200,
    ord(","): 40,
}  # bytes of a list, an object and one more value, about, in CPython

# what deserves a closer look outside of strings, once digits are all 0: words for no number, endless digits, large exponents
_CLASSES = bytes.maketrans(b"123456789EI", b"000000000eN")
_WORD, _DIGITS, _EXPONENTS = b"N", b"0" * (LONGEST_INTEGER + 1), (b"e000", b"e+000")
_RUN = re.compile(rb"0+")
_EXPONENT = re.compile(rb"[eE]\+?([0-9]+)")
_BEFORE_EXPONENT = re.compile(rb"-?[0-9]+\.?[0-9]*\Z")


def _numbers(signs: npt.NDArray[np.uint8], state: _State) -> Flaw | None:
    """Find NaN, Infinity, numbers beyond floats and endless digits outside of strings."""
    outside = state.tail + signs.tobytes()
    classes = outside.translate(_CLASSES)
    flaw = _words(outside, classes) or _endless(outside, classes) or _exponents(outside, classes, state)
    if flaw is not None:
        return replace(flaw, position=max(0, flaw.position + state.position - len(state.tail)))
    state.tail = outside[-_TAIL:]
    return None


def _words(outside: bytes, classes: bytes) -> Flaw | None:
    at = classes.find(_WORD)
    word = b"Infinity" if outside[at : at + 1] == b"I" else b"NaN"
    if at < 0 or not word.startswith(outside[at : at + len(word)]):
        return None  # another word: the parser says that it is none, and where
    return Flaw(f"{word.decode()} is no number of JSON", at, "finite numbers")


def _endless(outside: bytes, classes: bytes) -> Flaw | None:
    at = classes.find(_DIGITS)
    while at >= 0:
        run = _RUN.match(classes, at)
        assert run is not None
        is_whole = not outside[max(0, at - 2) : at].endswith((b".", b"e", b"E", b"e+", b"E+", b"e-", b"E-"))
        most = LONGEST_INTEGER if is_whole else LONGEST_NUMBER
        count = run.end() - at
        if count > most:
            return Flaw(f"a number has {count} digits in a row", at, f"at most {LONGEST_INTEGER} before the point")
        at = classes.find(_DIGITS, run.end())
    return None


def _exponents(outside: bytes, classes: bytes, state: _State) -> Flaw | None:
    for pattern in _EXPONENTS:
        at = classes.find(pattern)
        while at >= 0:
            match = _EXPONENT.match(outside, at)
            if match is not None and int(match[1]) >= _LARGE_EXPONENT:
                state.suspects += 1
                mantissa = _BEFORE_EXPONENT.search(outside[max(0, at - LONGEST_NUMBER) : at])
                token = (mantissa[0] if mantissa else b"0") + match[0]
                if not math.isfinite(float(token)):
                    return Flaw(f"the number {token.decode()[-40:]} is too large", at, "finite numbers")
                if state.suspects > _MOST_SUSPECTS:
                    return Flaw("there are very many numbers that are far too large", at, "numbers of ordinary size")
            at = classes.find(pattern, at + 1)
    return None
