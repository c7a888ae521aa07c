"""Every extra of the package is known to `limner info`, with modules that it really brings, and to the reader of the manual."""

import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from limner.api import extras
from limner.api.info import info
from limner.core.errors import MachineError

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BROUGHT = {name: lines for name, lines in PROJECT["optional-dependencies"].items() if name != "dev"}


def test_each_extra_of_the_package_is_known():
    assert set(extras.EXTRAS) - set(extras.PACKAGED_WITH) == set(BROUGHT) and set(extras.WHAT) == set(extras.EXTRAS)
    assert set(extras.PACKAGED_WITH.values()) <= set(BROUGHT)
    text = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in text for name in BROUGHT)


@pytest.mark.parametrize("name", extras.EXTRAS)
def test_its_modules_are_what_it_brings(name):
    known = packages_distributions()
    wanted = {canonicalize_name(Requirement(line).name) for line in BROUGHT[extras.PACKAGED_WITH.get(name, name)]}
    for module in extras.EXTRAS[name]:
        if module in known:  # else it is not installed here
            assert {canonicalize_name(package) for package in known[module]} & wanted, module


def test_what_is_missing_is_said(monkeypatch):
    absent = {"h5py", "segmentation_models_pytorch", "transformers", "tensorboard", "torch"}
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None if name in absent else True)
    found = info()["extras"]
    for name, module in (("keras", "h5py"), ("query", "transformers"), ("log", "tensorboard")):
        assert found[name] == {"works": False, "missing": [module], "install": f'pip install "limner[{name}]"'}
        with pytest.raises(MachineError, match=f"not installed: {module}") as caught:
            extras.require(name)
        assert caught.value.fix == found[name]["install"]
    assert not found["smp"]["works"] and found["zarr"]["works"]
