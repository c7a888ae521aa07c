"""``limner info``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limner.cli import show

if TYPE_CHECKING:
    from limner.core.protocols import Listener


def info(as_json: bool = show.JSON, debug: bool = show.DEBUG) -> None:
    """Versions, processor, memory, GPUs, a small computation on each device, which extras work."""

    def verb(listener: Listener) -> dict[str, Any]:
        from limner.api.info import info as call

        return call()

    show.run(verb, show=lines, document=lambda found: found, as_json=as_json, debug=debug)


def lines(found: dict[str, Any]) -> None:
    """The facts, a line each."""
    print("  ".join(f"{name} {version}" for name, version in found["versions"].items()))
    processor = found["processor"]
    print(f"{processor['name']}, {processor['cores']} cores, {found['memory_gib']} GiB memory")
    print(f"instructions: {' '.join(processor['instructions']) or 'unknown'}")
    print(
        "GPUs: "
        + (", ".join(f"{gpu['name']} ({gpu['memory_gib']} GiB)" for gpu in found.get("gpus", [])) or "none seen")
    )
    for device in found["devices"]:
        result = f"{device['gflops']} GFLOP/s" if device["works"] else f"fails: {device.get('error', 'wrong result')}"
        print(f"  {device['device']}: {device['computation']}: {result}")
    for name, extra in found["extras"].items():
        print(
            f"  {name}: "
            + ("works" if extra["works"] else f"missing {', '.join(extra['missing'])}; {extra['install']}")
        )
