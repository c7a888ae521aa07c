"""Row 1: who can reach the server at all."""

import socket
import subprocess
import sys

import pytest

from limner.core.errors import UsageError
from limner.server.settings import Settings
from tests.cli.call import limner, refused
from tests.security.served import serve

BEYOND = [
    "0.0.0.0",
    "::",
    "192.0.2.7",
    "169.254.1.1",
    "example.org",
    "",
    "0",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
]


@pytest.mark.parametrize("host", BEYOND)
def test_an_address_beyond_loopback_needs_a_token(host, monkeypatch):
    monkeypatch.delenv("LIMNER_TOKEN", raising=False)
    text = refused(limner("serve", "otsu", "--host", host, "--port", "0"), code=2)
    assert "token" in text and "whoever reaches this address" in text
    with pytest.raises(UsageError):
        Settings(host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1"])
def test_loopback_needs_none(host):
    assert Settings(host=host).token is None


@pytest.mark.parametrize("token", ["", " ", "a b", "ä", "a\nb", "env:LIMNER_NOT_SET", "file:/nowhere/token"])
def test_a_token_that_is_none_is_refused(token, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["limner"])
    refused(limner("serve", "otsu", "--token", token, "--port", "0"), code=2)


def test_loopback_is_the_default_and_a_taken_port_gives_the_next(served):
    assert served.document["host"] == "127.0.0.1"
    with serve("otsu", "--port", str(served.port)) as second:
        second.wait_for(f"port {served.port} is in use")
        assert second.port > served.port
        assert second.is_alive() and served.is_alive()


def own_address():
    """An address of this machine that is not loopback; None where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only the route is looked up
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


def test_the_default_is_not_heard_on_other_addresses(served):
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    with pytest.raises(OSError):
        socket.create_connection((address, served.port), timeout=2)


def test_star_is_no_origin():
    for origin in ("*", "https://*.example", "null", "https://a.example/", "file://x"):
        with pytest.raises(UsageError):
            Settings(origins=(origin,))


def test_without_the_extra_the_command_says_what_to_install():
    code = "import sys; sys.modules['uvicorn'] = None; from limner.cli import main; sys.argv = ['limner', 'serve', 'otsu']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and 'pip install "limner[server]"' in done.stderr
