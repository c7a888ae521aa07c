"""Who may call: names, origins, tokens, cookies; and what every answer carries."""

import asyncio
import logging
import os
import sys
import time

import pytest

import limner
from limner.core.errors import UsageError
from limner.server.guard import Guard
from limner.server.metrics import Metrics
from limner.server.refused import Refused
from limner.server.settings import Settings
from limner.server.token import MOST_FAILURES, SHORT, Access, find_token
from tests.cli.call import limner as call
from tests.cli.call import refused
from tests.server.fakes import Threshold, opening
from tests.server.pictures import array, encoded

FILE = encoded(array())
TOKEN = "correct-horse-battery-staple"
PATHS = [
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/v1/models",
    "/v1/limits",
    "/v2",
    "/nothing",
]


@pytest.fixture
def open_server(serving):
    return serving(opening(Threshold()), origins=("https://lab.example",), allowed_hosts=("lab.internal",))


@pytest.fixture
def locked(serving):
    return serving(opening(Threshold()), token=TOKEN)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "[::1].evil.example", "127.0.0.1@evil.example", ""]
)
def test_no_route_answers_to_another_name(open_server, host):
    for path in PATHS:
        assert open_server.client.get(path, headers={"Host": host}).status_code in (400, 403), path


def test_own_names_are_answered(open_server):
    for host in ("localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:80", "lab.internal", "lab.internal."):
        assert open_server.client.get("/readyz", headers={"Host": host}).status_code == 200, host


@pytest.mark.parametrize(
    ("host", "status"),
    [("10.0.0.5", 204), ("10.0.0.5:8000", 204), ("10.0.0.6", 403), ("fe80::1", 403), ("10.0.0.5.evil.example", 403)],
)
def test_the_address_that_was_called_is_a_name_too(host, status):
    """Probes of a cluster call a server by an address that nobody configured; a page cannot rebind an address."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def send(message):
        sent.append(message)

    guard = Guard(app, Settings(host="0.0.0.0", token=TOKEN), None, Metrics())
    scope = {
        "type": "http", "method": "GET", "path": "/readyz", "query_string": b"", "client": ("10.0.0.9", 5),
        "server": ("10.0.0.5", 8000), "headers": [(b"host", host.encode())],
    }  # fmt: skip
    asyncio.run(guard(scope, None, send))
    assert sent[0]["status"] == status


@pytest.mark.parametrize(
    ("own", "host", "status"),
    [
        ("::ffff:10.0.0.5", "10.0.0.5:8000", 204),  # an IPv4 caller of a socket that listens on ::
        ("::ffff:10.0.0.5", "[::ffff:10.0.0.5]:8000", 204),
        ("10.0.0.5", "[::ffff:a00:5]", 204),
        ("2001:db8::5", "[2001:DB8:0:0::5]:8000", 204),
        ("fe80::1%eth0", "[fe80::1]", 204),
        ("::ffff:10.0.0.5", "10.0.0.6", 403),
        ("::ffff:10.0.0.5", "[::a00:5]", 403),
        ("::ffff:10.0.0.5", "[::ffff:10.0.0.6]", 403),
        ("::ffff:10.0.0.5", "10.0.0.5.evil.example", 403),
        (
            "::ffff:10.0.0.5",
            "167772165",
            403,
        ),  # the same number, which browsers read as an address and this server as a name
        ("::ffff:10.0.0.5", "evil.example", 403),
        ("/run/limner.sock", "10.0.0.5", 403),
        (None, "10.0.0.5", 403),
    ],
)
def test_an_address_is_the_same_however_it_is_written(own, host, status):
    statuses = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def send(message):
        statuses.append(message.get("status"))

    guard = Guard(app, Settings(host="::", token=TOKEN), None, Metrics())
    scope = {
        "type": "http", "method": "GET", "path": "/readyz", "query_string": b"", "client": ("10.0.0.9", 5),
        "server": (own, 8000), "headers": [(b"host", host.encode())],
    }  # fmt: skip
    asyncio.run(guard(scope, None, send))
    assert statuses[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "https://lab.example.evil.example"}, 403),
        ({"Origin": "https://lab.example"}, 200),
        ({"Origin": "OWN"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "OWN", "Content-Type": "text/plain"}, 403),
        ({"Origin": "OWN", "Content-Type": "text/plain", "X-Limner": "1"}, 415),
        ({"Origin": "http://evil.example", "X-Limner": "1"}, 403),
    ],
)
def test_pages_of_other_sites_change_nothing(open_server, headers, status):
    own = {name: open_server.url if value == "OWN" else value for name, value in headers.items()}
    assert open_server.post(FILE, headers=own).status_code == status
    if "Content-Type" not in headers:
        form = open_server.client.post("/v1/predict", files={"image": ("a.png", FILE)}, headers=own)
        assert form.status_code == (
            403 if headers and headers != {"X-Limner": "1"} and "X-Limner" not in headers else status
        )


def test_other_origins_are_let_in_by_name_alone(open_server):
    ask = {"Access-Control-Request-Method": "POST"}
    refused = open_server.client.options("/v1/predict", headers={"Origin": "http://evil.example", **ask})
    assert refused.status_code == 403 and "access-control-allow-origin" not in refused.headers
    allowed = open_server.client.options("/v1/predict", headers={"Origin": "https://lab.example", **ask})
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == "https://lab.example"
    assert "access-control-allow-credentials" not in allowed.headers
    shared = open_server.post(FILE, headers={"Origin": "https://lab.example"})
    assert shared.headers["access-control-allow-origin"] == "https://lab.example"


def test_every_answer_is_dressed(open_server):
    for path in PATHS:
        headers = open_server.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer", path
        policy = headers["content-security-policy"]
        for rule in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert rule in policy
        assert "unsafe" not in policy and "server" not in headers


def test_nothing_is_told_without_the_token(locked):
    for path in PATHS:
        answer = locked.client.get(path)
        assert answer.status_code == (200 if path in ("/healthz", "/readyz") else 401), path
    assert locked.post(FILE).status_code == 401
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert locked.post(FILE, headers=right).status_code == 200
    assert locked.post(FILE, headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
    assert locked.client.get(f"/v1/models?token={TOKEN}").status_code == 401
    wrong = locked.client.get("/v1/models", headers={"Authorization": "Bearer x"})
    assert wrong.headers["www-authenticate"].startswith("Bearer")


def test_the_start_link_opens_once(locked, caplog):
    (said,) = locked.said
    link = said.split()[-1]
    with caplog.at_level(logging.INFO):
        first = locked.client.get(link)
        for _ in range(500):  # a request is logged when it is over, a moment after its answer
            if any(record.name == "limner.access" for record in caplog.records):
                break
            time.sleep(0.01)
    assert first.status_code == 303 and first.headers["location"] == "/"
    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"limner_{locked.settings.port}=")
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert locked.client.get("/v1/models").status_code == 200  # the client keeps cookies
    locked.client.cookies.clear()
    assert locked.client.get(link).status_code == 401
    secret = link.partition("token=")[2]
    logged = [
        record.getMessage() for record in caplog.records if not record.name.startswith("http")
    ]  # not the client's
    assert logged and not any(secret in line or TOKEN in line for line in logged)
    assert TOKEN not in repr(locked.settings)


def asker(access):
    def status(**shown):
        try:
            access.check(shown.get("bearer"), shown.get("cookie"), address=shown.get("address", "a"))
        except Refused as refused:
            return refused.status
        return 200

    return status


SLOWED = [401] * MOST_FAILURES + [429] * (20 - MOST_FAILURES)


def test_guessing_is_slowed_down_and_a_cookie_is_not():
    short = TOKEN[: SHORT - 1]
    access = Access(short, port=1)
    session = access.exchange(access.start_token(), address="a")
    status = asker(access)
    assert [status(bearer=f"x{i}") for i in range(20)] == SLOWED
    assert status(bearer=short) == 429  # or guesses could be told from the truth
    assert status(cookie=session) == 200
    assert status(bearer=short, address="b") == 200
    assert status(cookie="x") == 429 and status() == 401


def test_wrong_tokens_of_one_caller_do_not_lock_out_another_behind_the_same_proxy():
    """A token that nobody can guess passes at once; the wrong ones stay slowed down."""
    access = Access(TOKEN[:SHORT], port=1)
    link, status = access.start_token(), asker(access)
    assert [status(bearer=f"x{i}") for i in range(20)] == SLOWED
    assert status(bearer=TOKEN[:SHORT]) == 200
    assert status(bearer="x") == 429 and status(bearer=TOKEN[: SHORT - 1]) == 429
    with pytest.raises(Refused) as caught:
        access.exchange("x", address="a")
    assert caught.value.status == 429
    assert access.exchange(link, address="a")
    with pytest.raises(Refused):
        access.exchange(link, address="a")


def test_a_new_start_token_ends_the_one_before():
    access = Access(TOKEN, port=1)
    old, new = access.start_token(), access.start_token()
    with pytest.raises(Refused):
        access.exchange(old, address="a")
    assert access.exchange(new, address="a")
    assert len(new) >= 43  # 256 bits


def test_where_a_token_stands(tmp_path, monkeypatch):
    monkeypatch.delenv("LIMNER_TOKEN", raising=False)
    monkeypatch.setenv("MINE", "abc")
    (tmp_path / "token").write_text("from-file\n")
    assert find_token(None) is None
    assert find_token("env:MINE") == "abc" and find_token("plain") == "plain"
    assert find_token(f"file:{tmp_path / 'token'}") == "from-file"
    assert len({find_token("auto") for _ in range(3)}) == 3
    monkeypatch.setenv("LIMNER_TOKEN", "inherited")
    assert find_token(None) == "inherited"
    for text in ("env:NOT_THERE", f"file:{tmp_path}/none", "two words", "ümlaut", ""):
        with pytest.raises(UsageError):
            find_token(text)


def test_an_empty_token_leaves_no_server_open(monkeypatch):
    """As where a script's variable is not set: ``--token "$TOKEN"``, ``LIMNER_TOKEN=$TOKEN``."""
    monkeypatch.delenv("LIMNER_TOKEN", raising=False)
    with pytest.raises(UsageError, match="token is empty") as caught:
        limner.serve("otsu", token="", port=0)
    assert caught.value.where == "--token"
    monkeypatch.setattr(sys, "orig_argv", ["python", "limner", "serve", "otsu", "--token", ""])
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("started over"))
    assert "the token is empty" in refused(call("serve", "otsu", "--token", "", "--port", 0), code=2)
    monkeypatch.setenv("LIMNER_TOKEN", "")
    with pytest.raises(UsageError, match="token is empty") as caught:
        limner.serve("otsu", port=0)
    assert "LIMNER_TOKEN" in caught.value.where


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"runtime": "foo"}, "unknown runtime 'foo'"),
        ({"port": 70_000}, "--port 70000"),
        ({"port": -1}, "--port -1"),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_anything_starts(options, words):
    """Also where it is of no consequence: a classical method needs no runtime."""
    with pytest.raises(UsageError, match=words) as caught:
        limner.serve("otsu", **options)
    assert caught.value.expected


def test_an_open_door_to_a_network_is_refused():
    for host in ("0.0.0.0", "::", "192.168.1.5", "my.machine"):
        with pytest.raises(UsageError) as caught:
            Settings(host=host)
        assert "token" in caught.value.found
        assert Settings(host=host, token=TOKEN).token
    assert Settings(host="127.0.0.1").token is None and Settings(host="::1").token is None
    with pytest.raises(UsageError):
        Settings(origins=("*",))
