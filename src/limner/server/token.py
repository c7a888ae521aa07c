"""Who may call: the token, the start link that is exchanged for a cookie, and patience with wrong ones."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections import OrderedDict
from pathlib import Path

from limner.core.errors import UsageError
from limner.server.refused import Refused

VARIABLE = "LIMNER_TOKEN"
BITS = 256
SHORT = 16  # characters below which a token can be guessed
MOST_FAILURES = 10  # in a row, from one address; then one every SECONDS_EACH
SECONDS_EACH = 3.0
MOST_ADDRESSES = 4096
MOST_SESSIONS = 64


def find_token(text: str | None) -> str | None:
    """The token that ``--token`` means.

    Parameters
    ----------
    text : ``auto`` = a new one of 256 bits; ``env:NAME`` and ``file:PATH`` say where it stands; else the token itself. None =
        that of the environment variable LIMNER_TOKEN, if it is set.

    Returns
    -------
    None where no token is meant: `text` is None and LIMNER_TOKEN is not set. A variable that is set to nothing is an error, for
    somebody meant it to hold a token, and without one the server is open.

    Raises
    ------
    UsageError : the variable or file is missing or empty, or the token is empty or holds signs that a header cannot carry.
    """
    source = "--token"
    if text is None:
        source, text = f"the environment variable {VARIABLE}", os.environ.get(VARIABLE)
        if text is None:
            return None
    kind, _, rest = text.partition(":")
    if text == "auto":
        return secrets.token_urlsafe(BITS // 8)
    if kind == "env" and rest:
        token, where = os.environ.get(rest, ""), f"the environment variable {rest}"
    elif kind == "file" and rest:
        try:
            token, where = Path(rest).read_text(encoding="utf-8").strip(), rest
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"the token cannot be read: {getattr(error, 'strerror', None) or error}",
                expected="a text file that holds the token",
                where=rest, fix="write one line to it, readable by you alone",
            ) from None  # fmt: skip
    else:
        token, where = text, source
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            "the token is empty" if not token else "the token holds spaces or signs outside ASCII",
            expected="printable ASCII signs", where=where,
            fix="--token auto makes one; for a server of this machine alone leave --token out and LIMNER_TOKEN unset",
        )  # fmt: skip
    return token


class Access:
    """Checks tokens and cookies, and slows down those who guess. Used by the event loop alone.

    Behind a proxy all callers share one address, so that the failures of one are those of all. What nobody can guess (a long
    token, a cookie, the start link) passes all the same; a short token has to wait, or guesses would not be slowed down.
    """

    def __init__(self, token: str, *, port: int) -> None:
        self.cookie = f"limner_{port}"  # cookies do not tell ports apart, so two servers need two names
        self._token, self._is_short = _digest(token), len(token) < SHORT
        self._start: bytes | None = None
        self._sessions: OrderedDict[bytes, None] = OrderedDict()
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def start_token(self) -> str:
        """A new one-time token for the start link; an earlier one that was not used ends."""
        token = secrets.token_urlsafe(BITS // 8)
        self._start = _digest(token)
        return token

    def exchange(self, token: str, *, address: str) -> str:
        """The value of a cookie for the one-time token, which ends with it.

        Raises
        ------
        Refused : 401; wrong, or used before. 429 after too many failures.
        """
        if self._start is None or not hmac.compare_digest(_digest(token), self._start):
            self._check_patience(address)
            self._fail(address)
            raise Refused(
                401, "token", "this start link was used before, or is wrong; the server prints a new one when it starts"
            )
        self._start = None
        session = secrets.token_urlsafe(BITS // 8)
        self._sessions[_digest(session)] = None
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def check(self, bearer: str | None, cookie: str | None, *, address: str) -> None:
        """Pass who shows the token or a cookie; both pass however many failures their address has, but for a short token.

        Raises
        ------
        Refused : 401; neither. 429 after too many failures.
        """
        if cookie is not None and self._is_session(cookie):
            return
        if bearer is None and cookie is None:
            raise Refused(401, "token", "a token is needed: Authorization: Bearer TOKEN, or the start link")
        is_right = bearer is not None and hmac.compare_digest(_digest(bearer), self._token)
        if is_right and not self._is_short:
            return  # the failures stay: they may be those of another caller
        self._check_patience(address)
        if is_right:
            self._failures.pop(address, None)
            return
        self._fail(address)
        raise Refused(401, "token", "the token is wrong" if bearer is not None else "the cookie is of an earlier start")

    def _is_session(self, cookie: str) -> bool:
        return _digest(cookie) in self._sessions  # how far two digests agree says nothing about the values

    def _check_patience(self, address: str) -> None:
        count, since = self._failures.get(address, (0.0, 0.0))
        left = count - (time.monotonic() - since) / SECONDS_EACH
        if left > MOST_FAILURES - 1:
            raise Refused(
                429, "failures", "too many wrong tokens from this address", limit={"failures": MOST_FAILURES},
                retry_after=(left - MOST_FAILURES + 1) * SECONDS_EACH,
            )  # fmt: skip

    def _fail(self, address: str) -> None:
        now = time.monotonic()
        count, since = self._failures.pop(address, (0.0, now))
        self._failures[address] = (max(0.0, count - (now - since) / SECONDS_EACH) + 1, now)
        while len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)


def _digest(text: str) -> bytes:
    """Of equal length for all texts, so that a comparison says nothing about the token's."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
