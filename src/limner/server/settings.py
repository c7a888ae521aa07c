"""How a server is set up: where it listens, who may call it, how much it takes."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from limner.core.errors import UsageError
from limner.server.limits import Limits

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Settings:
    """Settings of one server.

    Parameters
    ----------
    host, port : address it listens on.
    token : what callers must show; None leaves the API open, which only loopback may.
    allowed_hosts : names that a request may call the server by, besides those of loopback and `host`.
    origins : of web pages on other servers that may call it, exactly as browsers state them: ``https://lab.example``.
    limits : see `Limits`.
    grace : seconds that accepted work has to finish when the server is told to stop.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    grace: float = 20.0

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and not self.token:
            raise UsageError(
                f"--host {self.host} without a token: whoever reaches this address could use the server",
                expected="a token for every address but loopback",
                where="--host",
                fix="add --token auto, which makes one, or listen on 127.0.0.1 and put your own gate in front",
            )
        for origin in self.origins:
            scheme, _, rest = origin.partition("://")
            if scheme not in ("http", "https") or not rest or set(rest) & set("/*?#@ "):
                raise UsageError(
                    f"'{origin}' is no origin",
                    expected="scheme, name and, unless usual, port of one site",
                    where="--allow-origin",
                    fix="write it as in https://lab.example:8443, without a path; * is not accepted",
                )


def is_loopback(host: str) -> bool:
    """True for an address that only this machine reaches.

    Examples
    --------
    >>> is_loopback("127.0.0.2"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
