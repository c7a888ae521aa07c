"""Two servers for all tests of this folder: one that is open on loopback, one with a token."""

import pytest

from tests.security.served import serve

TOKEN = "canary-token-0123456789abcdef-ghij"


@pytest.fixture(scope="session")
def served():
    """An open server of the method otsu."""
    with serve("otsu", "--max-body", "2MiB") as server:
        yield server


@pytest.fixture(scope="session")
def guarded():
    """A server that wants `TOKEN`."""
    with serve("otsu", environment={"LIMNER_TOKEN": TOKEN}) as server:
        yield server
