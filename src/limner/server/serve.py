"""Serve models over HTTP until told to stop."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from limner.api.extras import require
from limner.core.duration import parse_duration
from limner.core.errors import UsageError
from limner.core.protocols import Listener, Silent

_UNITS = {"kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 10**3, "mb": 10**6, "gb": 10**9, "b": 1, "": 1}
LAST_PORT = 65_535


@runtime_checkable
class ReadyListener(Protocol):
    """A listener that also hears when requests are answered."""

    def ready(self, document: dict[str, Any]) -> None:
        """``{"url", "port", "host", "model", "version", "models"}``."""
        ...


# long because of its arguments and their docstring
def serve(
    model: Path | str | Sequence[Path | str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    runtime: str = "auto",
    name: Sequence[str] | None = None,
    allow_origin: Sequence[str] | None = None,
    allow_host: Sequence[str] | None = None,
    queue: int = 64,
    batch: int = 8,
    max_body: str = "32MiB",
    max_pixels: int = 64_000_000,
    timeout: str = "30s",
    grace: str = "20s",
    listener: Listener | None = None,
) -> int:
    """Answer requests for predictions until the process is told to stop; see `docs/reference/http.md`.

    Parameters
    ----------
    model : run folder, bundle folder or the name of a classical method; or several of them.
    host : address to listen on; any but loopback needs a token.
    port : the next free one is taken where it is in use; 0 = any.
    token : what callers must show; ``auto`` makes one, ``env:NAME`` and ``file:PATH`` say where it stands. None = that of the
        environment variable LIMNER_TOKEN, if it is set.
    runtime : what computes networks, see `limner.api.open.open_segmenter`.
    name : what requests call each model; default: the name of its folder.
    allow_origin : web pages of these origins may call the server too.
    allow_host : further names that requests may call the server by.
    queue : pictures that wait for a model at most; more are refused with 429.
    batch : pictures computed together at most, where that changes no bit of the answers.
    max_body : largest request, as in ``32MiB``.
    max_pixels : largest picture; no side may be longer than `Limits.side`, whatever this is.
    timeout : how long a picture may wait for its turn, as in ``30s``.
    grace : how long accepted work may take when the server is told to stop.
    listener : hears what a person should see; with a method `ready` also when requests are answered.

    Returns
    -------
    0, after it was told to stop.

    Raises
    ------
    UsageError : an option that cannot be; an address beyond loopback without a token.
    MachineError : the extra ``server`` is not installed, or no port is free.
    BundleError : a model cannot be opened.
    """
    require("server")
    from limner.api.choose_runtime import check_runtime
    from limner.server.engine import Engine
    from limner.server.limits import Limits
    from limner.server.run import bind, run
    from limner.server.settings import Settings
    from limner.server.token import SHORT, VARIABLE, find_token

    listener = listener or Silent()
    check_runtime(runtime)
    if not 0 <= port <= LAST_PORT:
        raise UsageError(
            f"--port {port}", expected=f"0 to {LAST_PORT}", where="--port", fix="leave it out for port 8000"
        )
    limits = Limits(
        body_bytes=parse_size(max_body), pixels=at_least_one(max_pixels, "--max-pixels"), queue=at_least_one(queue, "--queue"),
        batch=at_least_one(batch, "--batch"), seconds=parse_duration(timeout),
    )  # fmt: skip
    secret = find_token(token)
    settings = Settings(
        host=host, port=port, token=secret, allowed_hosts=tuple(allow_host or ()), origins=tuple(allow_origin or ()),
        limits=limits, grace=parse_duration(grace),
    )  # fmt: skip
    models = [model] if isinstance(model, str | Path) else list(model)
    engine = Engine(name_models(models, list(name or [])), opener(runtime), limits=limits)
    with bind(host, port) as socket:
        taken = int(socket.getsockname()[1])
        if port and taken != port:
            listener.message(f"port {port} is in use; listening on {taken}")
        if (token or os.environ.get(VARIABLE)) == "auto":
            listener.message(f"token: {secret}")
        elif secret is not None and len(secret) < SHORT:
            listener.message(f"the token has {len(secret)} signs and can be guessed; --token auto makes a good one")
        ready = listener.ready if isinstance(listener, ReadyListener) else lambda document: None
        settings = dataclasses.replace(settings, port=taken)
        return run(settings, engine, listener=socket, ready=ready, say=listener.message)


def name_models(models: Sequence[Path | str], names: Sequence[str]) -> list[Any]:
    """What requests call each model: the given names, else the names of their folders, made different.

    Raises
    ------
    UsageError : another number of names, a name twice, or one that addresses cannot carry.
    """
    from limner.server.loaded import ModelSpec, plain_name

    if names and len(names) != len(models):
        raise UsageError(
            f"{len(names)} names for {len(models)} models", expected="one --name for each model", where="--name"
        )
    for name in names:
        if name != plain_name(name) or names.count(name) > 1:
            raise UsageError(
                f"--name {name}" + (" is given twice" if names.count(name) > 1 else ""),
                expected="different names of letters, digits, dots, dashes and underscores", where="--name",
                fix=f"for example --name {plain_name(name)}",
            )  # fmt: skip
    specs: list[ModelSpec] = []
    for index, model in enumerate(models):
        plain = names[index] if names else plain_name(Path(model).absolute() if Path(model).exists() else model)
        taken = {spec.name for spec in specs}
        numbered = next(n for n in (plain, *(f"{plain}-{i}" for i in range(2, len(models) + 2))) if n not in taken)
        specs.append(ModelSpec(numbered, str(model)))
    return specs


def opener(runtime: str) -> Any:
    """Opens run folders, bundles and classical methods for the engine."""
    from limner.api.open import classical_method, open_segmenter, runtime_of
    from limner.server.loaded import ModelSpec, Opened

    def open_model(spec: ModelSpec) -> Opened:
        method = classical_method(spec.path)
        if method is not None:
            return Opened(method, method.label_space)
        segmenter, bundle = open_segmenter(Path(spec.path), runtime=runtime)
        return Opened(segmenter, bundle.label_space, bundle, runtime_of(segmenter) or "numpy")

    return open_model


def parse_size(text: str) -> int:
    """Bytes in a text such as ``32MiB`` or ``500kB``; a bare number is bytes.

    Raises
    ------
    UsageError : not a size, or zero.

    Examples
    --------
    >>> parse_size("32MiB"), parse_size("1.5 kB"), parse_size("77")
    (33554432, 1500, 77)
    """
    number = text.strip().rstrip("aAbBiIkKmMgG ")
    unit = text.strip()[len(number) :].strip().lower()
    try:
        size = round(float(number) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        size = 0
    if size <= 0:
        raise UsageError(f"'{text}' is not a size", expected="as in 32MiB or 500kB", where="--max-body")
    return size


def at_least_one(number: int, where: str) -> int:
    """`number`, when it is at least 1.

    Raises
    ------
    UsageError : it is less.
    """
    if number < 1:
        raise UsageError(f"{where} {number}", expected="at least 1", where=where)
    return number
