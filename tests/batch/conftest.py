"""One cluster of this machine for all tests of this folder, since starting it takes seconds."""

import os
import signal
from pathlib import Path

import pytest


@pytest.fixture(scope="package")
def here():
    """Started and ended by the code under test, which must leave no trace in this process."""
    ray = pytest.importorskip("ray", reason="Ray is not installed (limner[ray])")
    from limner.batch.cluster import connected

    patch = pytest.MonkeyPatch()
    patch.delenv("RAY_ADDRESS", raising=False)
    patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # where the workers find this package
    before, handler = variables(), signal.getsignal(signal.SIGTERM)
    with connected(None):
        yield
    assert variables() == before
    assert signal.getsignal(signal.SIGTERM) is handler
    assert not ray.is_initialized()
    patch.undo()


def variables():
    return {name: value for name, value in os.environ.items() if name.startswith(("RAY", "PYTHON"))}
