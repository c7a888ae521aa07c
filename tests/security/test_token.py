"""Rows 2 and 16: the token, the start link, the cookie, patience with those who guess, and what is written down of it."""

import re
import secrets
import statistics
import time
from pathlib import Path

import pytest

from limner.server.refused import Refused
from limner.server.token import MOST_FAILURES, SHORT, Access, find_token
from tests.security.conftest import TOKEN
from tests.security.served import serve

OPEN = ("/healthz", "/readyz")
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def routes(server, **options):
    """``(method, path)`` of every route, with names filled in; those outside the OpenAPI document as well."""
    document = server.ask("GET", "/openapi.json", **options).json()
    model = server.document["model"]
    version = server.document["version"]
    found = [
        (method.upper(), path.replace("{model}", model).replace("{version}", version))
        for path, methods in document["paths"].items()
        for method in methods
    ]
    more = [
        ("GET", path)
        for path in (
            "/",
            "/docs",
            "/docs/docs.css",
            "/openapi.json",
            "/assets/x.js",
            "/favicon.ico",
            "/nowhere",
            "/v2/nowhere",
        )
    ]
    return sorted({*found, *more})


def test_every_route_but_two_wants_the_token(guarded):
    paths = routes(guarded, headers=BEARER)
    assert {("GET", "/metrics"), ("GET", "/docs"), ("POST", "/v1/predict")} <= set(paths) and len(paths) > 20
    for method, path in paths:
        answer = guarded.ask(method, path)
        if path in OPEN:
            assert answer.status_code == 200
        else:
            assert answer.status_code == 401, path
            assert "bearer" in answer.headers["www-authenticate"].lower()
            assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/metrics", "/docs", "/v1/models", "/v2", "/openapi.json", "/docs/docs.css"])
def test_the_token_opens_them(guarded, path):
    assert guarded.ask("GET", path, headers=BEARER).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": TOKEN}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer"}, {"X-Token": TOKEN},
     {"Cookie": f"token={TOKEN}"}, {"Cookie": f"limner={TOKEN}"}, {"Authorization": f"Bearer {TOKEN[:-1]}"}],
)  # fmt: skip
def test_nothing_else_does(headers):
    access = Access(TOKEN, port=8000)
    kind, _, rest = headers.get("Authorization", "").partition(" ")
    bearer = rest.strip() if kind == "Bearer" else None
    with pytest.raises(Refused) as caught:
        access.check(bearer, None, address="x")
    assert caught.value.status == 401


def test_the_token_in_a_query_is_no_key(guarded):
    for path in (f"/v1/models?token={TOKEN}", f"/?token={TOKEN}"):
        assert guarded.ask("GET", path).status_code == 401


def test_the_start_link_works_once_and_gives_a_cookie_that_scripts_cannot_read():
    with serve("otsu", "--token", "auto") as server:
        link = re.search(r"http\S+/\?token=(\S+)\n", server.wait_for("?token="))
        path = f"/?token={link[1]}"
        first = server.ask("GET", path)
        assert first.status_code == 303 and first.headers["location"] == "/"
        assert first.headers["referrer-policy"] == "no-referrer"
        stated = first.headers["set-cookie"].lower()
        assert "httponly" in stated and "samesite=strict" in stated and str(server.port) in stated.partition("=")[0]
        name, _, value = first.headers["set-cookie"].partition(";")[0].partition("=")
        assert server.ask("GET", "/v1/models", headers={"Cookie": f"{name}={value}"}).status_code == 200
        assert value != link[1] and len(value) >= 43  # 256 bits in base64
        assert server.ask("GET", path).status_code == 401
        assert server.log.count(link[1]) == 1  # in the link itself, and in no line about requests
        assert value not in server.log


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="command lines of other processes are read from /proc")
def test_the_token_is_in_no_line_of_the_log_and_not_in_the_list_of_processes():
    secret = "swordfish-" + secrets.token_hex(12)
    with serve("otsu", "--token", secret) as server:
        command = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        assert b"serve" in command and secret.encode() not in command
        good = {"Authorization": f"Bearer {secret}"}
        assert server.ask("GET", "/v1/models", headers=good).status_code == 200
        server.ask("GET", f"/v1/models?token={secret}&x={secret}", headers=good)
        server.ask("POST", f"/v1/predict?token={secret}", headers=good, content=b"x")
        server.ask("GET", f"/?token={secret}")
        assert secret not in server.ask("GET", "/metrics", headers=good).text
        assert secret not in server.ask("GET", "/docs", headers=good).text
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        assert all(secret.encode() not in Path(f"/proc/{child}/environ").read_bytes() for child in children)
        server.wait_for("/v1/predict")
    assert "/v1/predict" in server.log and secret not in server.log


def test_guessing_is_slowed_down_and_the_cookie_of_others_still_works():
    access = Access(TOKEN, port=1)
    session = access.exchange(access.start_token(), address="1.2.3.4")
    statuses = []
    for _ in range(20):
        with pytest.raises(Refused) as caught:
            access.check("wrong", None, address="1.2.3.4")
        statuses.append((caught.value.status, caught.value.retry_after))
    found = [status for status, _ in statuses]
    assert found == sorted(found) and 0 <= found.count(401) - MOST_FAILURES <= 1  # patience grows back while we try
    assert all(wait and wait > 1 for status, wait in statuses if status == 429)
    access.check(TOKEN, None, address="1.2.3.4")  # nobody guesses this one, and callers behind a proxy share an address
    access.check(None, session, address="1.2.3.4")
    access.check(TOKEN, None, address="5.6.7.8")


def test_a_token_that_can_be_guessed_has_to_wait_like_the_wrong_ones():
    short = TOKEN[: SHORT - 1]
    access = Access(short, port=1)
    for _ in range(20):
        with pytest.raises(Refused):
            access.check("wrong", None, address="1.2.3.4")
    with pytest.raises(Refused) as caught:
        access.check(short, None, address="1.2.3.4")
    assert caught.value.status == 429
    access.check(short, None, address="5.6.7.8")


def test_twenty_wrong_tokens_over_http_are_slowed_down():
    with serve("otsu", environment={"LIMNER_TOKEN": TOKEN}) as server:
        answers = [server.ask("GET", "/v1/models", headers={"Authorization": f"Bearer {i}"}) for i in range(20)]
        assert {answer.status_code for answer in answers[:MOST_FAILURES]} == {401}
        assert answers[-1].status_code == 429 and int(answers[-1].headers["retry-after"]) >= 1
        assert server.is_alive()


def test_tokens_that_are_made_have_256_bits_and_differ():
    tokens = {find_token("auto") for _ in range(50)}
    assert len(tokens) == 50 and all(len(token) >= 43 for token in tokens)


def test_the_time_of_a_comparison_says_nothing():
    """Medians of wrong tokens that agree in no sign, and in all but the last."""
    access = Access("a" * 64, port=1)

    def median(token):
        times = []
        for i in range(400):
            start = time.perf_counter_ns()
            with pytest.raises(Refused):
                access.check(token, None, address=str(i))
            times.append(time.perf_counter_ns() - start)
        return statistics.median(times)

    far, near = median("b" * 64), median("a" * 63 + "b")
    assert 0.5 < near / far < 2
