"""Versions are pinned with hashes, licences fit MIT software, and a release can say what it is made of."""

import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tools.licences import LIST, is_allowed, part, wanted
from tools.locked import Pin, read_lock
from tools.sbom import document

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FILES = {"core": (), "server": ("server",), "train": ("train",), "all": tuple(EXTRAS)}
REMEDY = "run `python -m tools.lock --keep` and `python -m tools.licences`"


def direct(extras):
    """What pyproject.toml asks for; extras that name further extras of ours are followed."""
    lines, todo, seen = list(PROJECT["dependencies"]), list(extras), set()
    while todo:
        extra = todo.pop()
        if extra not in seen:
            seen.add(extra)
            for line in EXTRAS[extra]:
                requirement = Requirement(line)
                if canonicalize_name(requirement.name) == PROJECT["name"]:
                    todo += requirement.extras
                else:
                    lines.append(line)
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize(("name", "extras"), FILES.items())
def test_what_the_project_asks_for_is_locked(name, extras):
    pins = {}
    for pin in read_lock(ROOT / "requirements" / f"{name}.txt"):
        pins.setdefault(pin.name, []).append(pin)
    for requirement in direct(extras):
        found = pins.get(canonicalize_name(requirement.name))
        assert found, f"{requirement} is not in requirements/{name}.txt: {REMEDY}"
        for pin in found:
            assert requirement.specifier.contains(pin.version, prereleases=True), (
                f"{pin} against {requirement}: {REMEDY}"
            )


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_hashes_and_none_an_address(name):
    path = ROOT / "requirements" / f"{name}.txt"
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|index-url|find-links|\bfile:|@ ", text)
    pins = read_lock(path)
    assert len(pins) > 20
    for pin in pins:
        assert pin.sha256 and all(re.fullmatch("[0-9a-f]{64}", digest) for digest in pin.sha256), pin.name
        assert pin.wanted_by, pin.name


def test_all_files_lock_the_same_versions():
    everything = {(pin.name, pin.version) for pin in read_lock(ROOT / "requirements" / "all.txt")}
    for name in ("core", "server", "train"):
        assert {(pin.name, pin.version) for pin in read_lock(ROOT / "requirements" / f"{name}.txt")} <= everything


def test_the_core_and_the_server_bring_no_network_library():
    for name in ("core", "server"):
        found = {pin.name for pin in read_lock(ROOT / "requirements" / f"{name}.txt")}
        assert not found & {"torch", "torchvision", "timm", "triton", "tensorflow", "keras", "ray", "huggingface-hub"}
        assert not any(package.startswith("nvidia-") for package in found)


def test_reading_a_lock_file(tmp_path):
    path = tmp_path / "lock.txt"
    path.write_text(
        "# written by hand\nA_b==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via\n"
        "    #   -c all.txt\n    #   limner (pyproject.toml)\n    #   c\nc==2.0rc1 \\\n    --hash=sha256:cc\n    # via a-b\n"
    )
    first = Pin("a-b", "1.0", 'sys_platform == "win32"', ["aa", "bb"], ["limner", "c"])
    assert read_lock(path) == [first, Pin("c", "2.0rc1", "", ["cc"], ["a-b"])]
    for wrong in ("a>=1\n", "a @ https://example.org/a.whl\n", "a==1,==2\n"):
        path.write_text(wrong)
        with pytest.raises(ValueError, match=re.escape("lock.txt, line 1")):
            read_lock(path)


def test_licences_of_everything_that_is_installed_are_allowed():
    """For the extras that people install to use it, in this environment."""
    names = wanted(direct(set(EXTRAS) - {"dev"}))
    assert {"numpy", "pillow", "onnxruntime"} <= set(names)
    refused = [f"{found.name} {found.version}: {found.licence!r}" for found in map(part, names) if not found.allowed]
    assert refused == []


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-or-later OR MIT", True),
        ("MIT OR AGPL-3.0-only", True),
        ("(GPL-2.0-only OR BSD-3-Clause) AND ISC", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT AND GPL-3.0-or-later", False),
        ("MIT OR BSD-3-Clause AND GPL-2.0-only", True),
        ("(MIT OR BSD-3-Clause) AND GPL-2.0-only", False),
        ("AGPL-3.0-only", False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("LGPL-3.0-only", False),
        ("SSPL-1.0", False),
        ("CC-BY-NC-4.0", False),
        ("LicenseRef-NVIDIA-Proprietary", False),
        ("", False),
        ("(MIT", False),
        ("MIT BSD-3-Clause", False),
        ("MIT AND", False),
    ],
)
def test_licence_expressions(expression, allowed):
    assert is_allowed(expression) is allowed


@pytest.mark.parametrize(
    ("lines", "allowed"),
    [
        ("License-Expression: MIT", True),
        ("License-Expression: AGPL-3.0-or-later", False),
        ("Classifier: License :: OSI Approved :: MIT License", True),
        ("Classifier: License :: OSI Approved :: GNU Affero General Public License v3", False),
        ("Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: OSI Approved :: GPL", False),
        ("License: BSD 3-Clause", True),
        ("License: AGPL-3.0", False),
        ("License: GNU GPLv3", False),
        ("License: MIT\nClassifier: License :: Other/Proprietary License", False),
        ("License: BSD\nClassifier: License :: OSI Approved :: BSD License", True),
        ("License: GPL-3.0\nClassifier: License :: OSI Approved :: MIT License", False),
        ("Summary: says nothing", False),
    ],
)  # fmt: skip
def test_licences_from_metadata(tmp_path, monkeypatch, lines, allowed):
    folder = tmp_path / "planted_thing-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: planted-thing\nVersion: 1.0\n{lines}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert part("planted-thing").allowed is allowed


def test_nvidia_parts_are_for_torch_only(tmp_path, monkeypatch):
    for name in ("nvidia-thing", "thing"):
        folder = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        text = f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nLicense-Expression: LicenseRef-NVIDIA-Proprietary\n"
        (folder / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert part("nvidia-thing").allowed and not part("thing").allowed


def test_the_list_of_licences_names_every_locked_package_and_is_not_stale():
    listed = dict(re.findall(r"^\| ([a-z0-9.-]+) \| (.+?) \|", LIST.read_text(encoding="utf-8"), re.M))
    pins = read_lock(ROOT / "requirements" / "all.txt")
    assert set(listed) - {"package", "---"} == {pin.name for pin in pins}, REMEDY
    for pin in pins:
        found = part(pin.name)
        if (
            found.version == pin.version and listed[pin.name] != "-"
        ):  # "-" for what was not installed when it was written
            assert listed[pin.name] == (found.licence or "-"), REMEDY


NPM = {
    "packages": {
        "": {"name": "page"},
        "node_modules/preact": {"version": "11.2.0", "license": "MIT", "integrity": "sha512-AQID"},
        "node_modules/vite": {"version": "8.3.8", "dev": True},
        "node_modules/@preact/signals": {"version": "2.11.4"},
    }
}


def test_a_bill_of_materials_by_hand():
    pins = [
        Pin("a", "1.0+cpu", "", ["aa"], ["limner"]),
        Pin("b", "2", "python_version < '3.12'", ["bb", "cc"], ["a", "a[x]"]),
    ]
    found = document(pins, NPM, version="0.1", install="server")
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert [part["purl"] for part in found["components"]] == [
        "pkg:pypi/a@1.0%2Bcpu",
        "pkg:pypi/b@2",
        "pkg:npm/%40preact/signals@2.11.4",
        "pkg:npm/preact@11.2.0",
    ]
    assert found["components"][3]["hashes"] == [{"alg": "SHA-512", "content": "010203"}]
    assert [p["value"] for p in found["components"][1]["properties"]] == ["python_version < '3.12'", "bb", "cc"]
    edges = {edge["ref"]: edge["dependsOn"] for edge in found["dependencies"]}
    assert edges["pkg:pypi/limner@0.1"] == ["pkg:pypi/a@1.0%2Bcpu"]
    assert edges["pkg:pypi/a@1.0%2Bcpu"] == ["pkg:pypi/b@2"]
    assert json.dumps(document(pins, NPM, version="0.1", install="server")) == json.dumps(found)
    assert document(pins[:1], NPM, version="0.1", install="server")["serialNumber"] != found["serialNumber"]


@pytest.mark.parametrize("name", FILES)
def test_bills_of_materials_of_the_lock_files_are_whole(name):
    pins = read_lock(ROOT / "requirements" / f"{name}.txt")
    found = document(pins, {}, version="0.1", install=name)
    refs = [component["bom-ref"] for component in found["components"]] + ["pkg:pypi/limner@0.1"]
    assert len(refs) == len(set(refs)) == len(pins) + 1
    reached, todo = set(), ["pkg:pypi/limner@0.1"]
    edges = {edge["ref"]: edge["dependsOn"] for edge in found["dependencies"]}
    while todo:
        ref = todo.pop()
        if ref not in reached:
            reached.add(ref)
            todo += edges[ref]
    assert reached == set(refs)


def test_extras_name_what_can_be_installed():
    """Every extra that an error message offers is one that the project has."""
    offered = set()
    for path in (ROOT / "src").rglob("*.py"):
        offered |= set(re.findall(r"limner\[([a-z]+)\]", path.read_text(encoding="utf-8")))
    assert offered <= set(EXTRAS)


def test_this_environment_has_what_the_core_asks_for():
    for requirement in direct(()):
        try:
            version = distribution(requirement.name).version
        except PackageNotFoundError:
            pytest.fail(f"{requirement} is not installed")
        assert requirement.specifier.contains(version, prereleases=True)


def test_what_builds_the_wheel_is_locked():
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    lines = (ROOT / "requirements" / "build.in").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == asked, REMEDY
    pins = {pin.name: pin for pin in read_lock(ROOT / "requirements" / "build.txt")}
    assert all(pin.sha256 for pin in pins.values())
    assert all(Requirement(line).specifier.contains(pins[Requirement(line).name].version) for line in asked)
