"""Numbers of a JSON text that are none, or that no float holds, found before anything is parsed.

All digits are made 0 first, so that plain searches find what deserves a closer look.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

LONGEST_INTEGER = 20  # digits before the point
LONGEST_NUMBER = 1000  # digits in a row anywhere: beyond, reading them takes more than linear time
TAIL = 2 * LONGEST_NUMBER  # signs kept from the piece before, so that no number is cut
_MOST_SUSPECTS = 10_000
_LARGE_EXPONENT = 200  # 21 digits before it do not reach infinity below

_CLASSES = bytes.maketrans(b"123456789EI", b"000000000eN")
_WORD, _DIGITS, _EXPONENTS = b"N", b"0" * (LONGEST_INTEGER + 1), (b"e000", b"e+000")
_FRACTION = (b".", b"e", b"E", b"e+", b"E+", b"e-", b"E-")  # before digits that do not stand before the point
_RUN = re.compile(rb"0+")
_EXPONENT = re.compile(rb"[eE]\+?([0-9]+)")
_BEFORE_EXPONENT = re.compile(rb"-?[0-9]+\.?[0-9]*\Z")


@dataclass(frozen=True)
class Flaw:
    """What is wrong with a text, and at which sign; counted from 0."""

    found: str
    position: int
    expected: str = "JSON"


class Numbers:
    """Looks at the numbers of a text, piece by piece.

    Attributes
    ----------
    odd : the first number that is none, or too large; the rest of the text may be fine. None when there is none.
    """

    def __init__(self) -> None:
        self.odd: Flaw | None = None
        self._tail = b""
        self._suspects = 0

    def look(self, signs: bytes, position: int) -> Flaw | None:
        """Look at the next signs, those of strings blanked; what is returned makes the whole text unreadable."""
        outside = self._tail + signs
        offset = position - len(self._tail)
        classes = outside.translate(_CLASSES)
        self._tail = outside[-TAIL:]
        if self.odd is None:
            self._words(outside, classes, offset)
        return self._endless(outside, classes, offset) or self._exponents(outside, classes, offset)

    def _keep(self, found: str, position: int) -> None:
        if self.odd is None or position < self.odd.position:
            self.odd = Flaw(found, position, "finite numbers of ordinary length")

    def _words(self, outside: bytes, classes: bytes, offset: int) -> None:
        at = classes.find(_WORD)
        word = b"Infinity" if outside[at : at + 1] == b"I" else b"NaN"
        if at >= 0 and outside.startswith(word, at):  # of other words the parser says that they are none
            self._keep(f"{word.decode()} is no number of JSON", offset + at)

    def _endless(self, outside: bytes, classes: bytes, offset: int) -> Flaw | None:
        at = classes.find(_DIGITS)
        while at >= 0:
            run = _RUN.match(classes, at)
            assert run is not None
            found = (
                f"a number has {run.end() - at} digits in a row; at most {LONGEST_INTEGER} before the point are read"
            )
            if run.end() - at > LONGEST_NUMBER:
                return Flaw(found, max(0, offset + at), "finite numbers of ordinary length")
            if not outside[max(0, at - 2) : at].endswith(_FRACTION):
                self._keep(found, max(0, offset + at))
            at = classes.find(_DIGITS, run.end())
        return None

    def _exponents(self, outside: bytes, classes: bytes, offset: int) -> Flaw | None:
        for pattern in _EXPONENTS:
            at = classes.find(pattern)
            while at >= 0:
                match = _EXPONENT.match(outside, at)
                if match is not None and int(match[1]) >= _LARGE_EXPONENT:
                    self._suspects += 1
                    before = _BEFORE_EXPONENT.search(outside[max(0, at - LONGEST_NUMBER) : at])
                    token = (before[0] if before else b"0") + match[0]
                    if not math.isfinite(float(token)):
                        self._keep(f"the number {token.decode()[-40:]} is too large", max(0, offset + at))
                    if self._suspects > _MOST_SUSPECTS:
                        return Flaw("very many numbers are far too large", max(0, offset + at), "ordinary numbers")
                at = classes.find(pattern, at + 1)
        return None
