"""``limner serve``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from limner.cli import show

if TYPE_CHECKING:
    from limner.core.protocols import Listener

KEPT_ELSEWHERE = ("env:", "file:")


def serve(
    model: list[Path] = typer.Argument(..., help="Run folders, bundles or classical methods such as otsu."),
    host: str = typer.Option("127.0.0.1", help="Address to listen on; any but loopback needs a token."),
    port: int = typer.Option(8000, min=0, max=65535, help="The next free one is taken where it is in use; 0 = any."),
    token: str | None = typer.Option(
        None, help="What callers must show: auto, env:NAME, file:PATH or the token itself; also read from LIMNER_TOKEN."
    ),
    runtime: str = typer.Option("auto", help="What computes networks: auto, torch, onnx or openvino."),
    name: list[str] | None = typer.Option(None, help="What requests call each model; default: its folder."),
    allow_origin: list[str] | None = typer.Option(None, help="Web pages of this origin may call the server too."),
    allow_host: list[str] | None = typer.Option(None, help="A further name that requests may call the server by."),
    queue: int = typer.Option(64, min=1, help="Pictures that wait for a model; more are refused with 429."),
    batch: int = typer.Option(8, min=1, help="Pictures computed together where that changes no bit."),
    max_body: str = typer.Option("32MiB", help="Largest request."),
    max_pixels: int = typer.Option(
        64_000_000, min=1, help="Largest picture; a side has at most 20,000 whatever this is."
    ),
    timeout: str = typer.Option("30s", help="How long a picture may wait for its turn."),
    grace: str = typer.Option("20s", help="How long accepted work may take when the server is told to stop."),
    as_json: bool = show.JSON,
    debug: bool = show.DEBUG,
) -> None:
    """Answer requests for predictions over HTTP, with a page at /, until told to stop."""
    start_over_without(token)

    def verb(listener: Listener) -> int:
        from limner.server.serve import serve as call

        code = call(
            model, host=host, port=port, token=token, runtime=runtime, name=name, allow_origin=allow_origin,
            allow_host=allow_host, queue=queue, batch=batch, max_body=max_body, max_pixels=max_pixels, timeout=timeout,
            grace=grace, listener=Telling(listener, as_json=as_json),
        )  # fmt: skip
        raise typer.Exit(code)  # the one document was printed when the server was ready

    show.run(verb, show=lambda _: None, document=lambda _: None, as_json=as_json, debug=debug)


class Telling:
    """The usual listener, which also prints where the server is found, once it may be asked."""

    def __init__(self, listener: Listener, *, as_json: bool) -> None:
        self._listener, self._as_json = listener, as_json

    def progress(self, stage: str, done: float, total: float, text: str = "") -> None:
        """As the usual listener."""
        self._listener.progress(stage, done, total, text)

    def message(self, text: str) -> None:
        """As the usual listener."""
        self._listener.message(text)

    def ready(self, document: dict[str, Any]) -> None:
        """The one document, or one line."""
        if self._as_json:
            print(json.dumps(document, indent=2), flush=True)
        else:
            print(f"{', '.join(m['name'] for m in document['models'])} at {document['url']}", flush=True)


def start_over_without(token: str | None) -> None:
    """Where the token itself stands on the command line, which every user of the machine can read in the list of processes, start
    this process over without it; the token goes on in the environment, which only its owner can read.
    """
    words = sys.orig_argv
    if not token or token == "auto" or token.startswith(KEPT_ELSEWHERE) or os.name != "posix":
        return
    kept = [
        word
        for place, word in enumerate(words)
        if word not in ("--token", f"--token={token}") and not (word == token and words[place - 1] == "--token")
    ]
    if len(kept) == len(words):
        return  # not called from a command line
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *kept[1:]], {**os.environ, "LIMNER_TOKEN": token})
