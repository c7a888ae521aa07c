"""Write what a release is made of: a CycloneDX 1.6 document from a lock file and the page's lock file.

    python -m tools.sbom server -o limner-server.cdx.json

The same lock files give the same bytes: there is no date and no random number in it. Licences are those of the packages that
are installed here in the locked version; of others none is stated.

References
----------
CycloneDX 1.6: https://cyclonedx.org/docs/1.6/json; package URLs: https://github.com/package-url/purl-spec.
"""

from __future__ import annotations

import argparse
import base64
import json
import tomllib
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tools.licences import part
from tools.locked import Pin, read_lock

ROOT = Path(__file__).resolve().parents[1]


def document(pins: list[Pin], npm: dict[str, Any], *, version: str, install: str) -> dict[str, Any]:
    """The CycloneDX document of one installation.

    Parameters
    ----------
    pins : from `read_lock`.
    npm : the page's package-lock.json, version 3; only what ends up in the page counts.
    version : of Limner.
    install : ``core``, ``server`` or ``train``.
    """
    root: dict[str, Any] = {
        "type": "application",
        "bom-ref": f"pkg:pypi/limner@{version}",
        "name": "limner",
        "version": version,
        "purl": f"pkg:pypi/limner@{version}",
        "licenses": [{"license": {"id": "MIT"}}],
        "properties": [{"name": "limner:install", "value": install}],
    }
    parts = [*map(_python, pins), *_scripts(npm)]
    refs: dict[str, list[str]] = {"limner": [root["bom-ref"]]}
    for pin, component in zip(pins, parts, strict=False):
        refs.setdefault(pin.name, []).append(component["bom-ref"])
    children: dict[str, set[str]] = {ref: set() for found in refs.values() for ref in found}
    for pin, component in zip(pins, parts, strict=False):
        for parent in pin.wanted_by:
            for ref in refs.get(parent.partition("[")[0], []):
                children[ref].add(component["bom-ref"])
    body = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": parts,
        "dependencies": [{"ref": ref, "dependsOn": sorted(found)} for ref, found in sorted(children.items())],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))  # from the content, so that it repeats
    return {**body, "serialNumber": f"urn:uuid:{serial}"}


def _python(pin: Pin) -> dict[str, Any]:
    purl = f"pkg:pypi/{pin.name}@{quote(pin.version, safe='.')}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": pin.name,
        "version": pin.version,
        "purl": purl,
    }
    installed = part(pin.name)
    if installed.version == pin.version and installed.licence:
        component["licenses"] = [{"expression": installed.licence}]
    notes = [("limner:for", pin.marker)] if pin.marker else []
    notes += [
        ("limner:sha256", digest) for digest in pin.sha256
    ]  # one for each file of the version, not of the component
    component["properties"] = [{"name": name, "value": value} for name, value in notes]
    return component


def _scripts(npm: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for path, entry in sorted(npm.get("packages", {}).items()):
        if not path or entry.get("dev") or entry.get("link"):
            continue
        name = path.rpartition("node_modules/")[2]
        purl = f"pkg:npm/{quote(name, safe='/')}@{entry['version']}"
        component = {"type": "library", "bom-ref": purl, "name": name, "version": entry["version"], "purl": purl}
        if "license" in entry:
            component["licenses"] = [{"expression": entry["license"]}]
        algorithm, _, digest = entry.get("integrity", "").partition("-")
        if algorithm == "sha512":
            component["hashes"] = [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}]
        found.append(component)
    return found


def main() -> None:
    """Write the document of one installation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("install", choices=["core", "server", "train", "all"])
    parser.add_argument("-o", "--out", type=Path, required=True)
    arguments = parser.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    page = ROOT / "web" / "package-lock.json"
    npm = json.loads(page.read_text(encoding="utf-8")) if page.exists() else {}
    pins = read_lock(ROOT / "requirements" / f"{arguments.install}.txt")
    text = json.dumps(document(pins, npm, version=version, install=arguments.install), indent=1)
    arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
