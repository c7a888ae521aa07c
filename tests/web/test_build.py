"""What is built and packed: small, the same each time, nothing of this machine in it, and never left out in silence."""

import gzip
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
STATIC = ROOT / "src" / "limner" / "server" / "static"


@pytest.fixture
def files(built):
    return {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in STATIC.rglob("*") if path.is_file()}


def test_small_and_without_source_maps(files):
    assert sum(len(gzip.compress(data)) for data in files.values()) < 150_000
    assert not [name for name in files if name.endswith(".map")]
    assert not [name for name, data in files.items() if b"sourceMappingURL" in data]


def test_names_of_assets_carry_a_hash_and_the_page_names_them_all(files):
    assets = [name for name in files if name.startswith("assets/")]
    assert len(assets) >= 3
    for name in assets:
        assert re.fullmatch(r"assets/[\w]+-[\w-]{8}\.(js|css|svg)", name)
        assert f"/{name}".encode() in files["index.html"]


def test_nothing_of_this_machine_and_no_other_host(files):
    for name, data in files.items():
        text = data.decode("utf-8")
        assert str(ROOT) not in text and str(Path.home()) not in text, name
        hosts = set(re.findall(r"https?://[\w.-]+", text)) - {"http://www.w3.org"}  # namespaces, which nobody fetches
        assert not hosts or name == "THIRD_PARTY.txt", (name, hosts)


def test_no_inline_script_or_style(files):
    page = files["index.html"].decode()
    assert re.search(r"<script[^>]*>\s*[^<\s]", page) is None and "<style" not in page and "style=" not in page
    assert re.search(r"\son\w+=", page) is None


def test_licences_of_all_that_is_in_it(files):
    wanted = json.loads((WEB / "package.json").read_text(encoding="utf-8"))["dependencies"]
    text = files["THIRD_PARTY.txt"].decode()
    for name in wanted:
        assert re.search(rf"^{name} \d+\.\d+\.\d+ \(MIT\)$", text, re.MULTILINE), name


def test_two_builds_are_equal_and_the_built_page_is_of_this_source(files, tmp_path):
    vite = WEB / "node_modules" / "vite" / "bin" / "vite.js"
    if shutil.which("node") is None or not vite.is_file():
        pytest.skip(
            "without Node and its packages the page cannot be built a second time (cd web && npm ci --ignore-scripts)"
        )
    command = ["node", str(vite), "build", "--outDir", str(tmp_path), "--emptyOutDir", "--logLevel", "error"]
    subprocess.run(command, cwd=WEB, check=True, capture_output=True, timeout=120)
    again = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert again == files


def test_the_lock_file_names_no_registry_and_every_package_has_its_hash():
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert len(packages) > 10
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert not [name for name, entry in packages.items() if not entry["integrity"].startswith("sha512-")]
    assert not [name for name, entry in packages.items() if entry.get("hasInstallScript") and not entry.get("optional")]


@pytest.fixture
def hook(monkeypatch, tmp_path):
    """The build hook on an empty folder; hatchling itself need not be installed."""
    interface = types.ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = object
    for name in ("hatchling", "hatchling.builders", "hatchling.builders.hooks", "hatchling.builders.hooks.plugin"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    spec = importlib.util.spec_from_file_location("build_hook", ROOT / "build_hook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.delenv(module.WITHOUT, raising=False)
    hook = module.PageHook()
    hook.root = str(tmp_path)
    return hook


def test_no_package_without_the_page_in_silence(hook, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r"npm ci --ignore-scripts && npm run build"):
        hook.initialize("standard", {"artifacts": []})
    hook.initialize("editable", {"artifacts": []})
    monkeypatch.setenv("LIMNER_WITHOUT_PAGE", "1")
    hook.initialize("standard", data := {"artifacts": []})
    assert data["artifacts"] == []
    monkeypatch.delenv("LIMNER_WITHOUT_PAGE")
    (tmp_path / "src/limner/server/static").mkdir(parents=True)
    (tmp_path / "src/limner/server/static/index.html").touch()
    hook.initialize("standard", data)
    assert data["artifacts"] == ["/src/limner/server/static/**"]
