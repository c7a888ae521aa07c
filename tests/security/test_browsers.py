"""Rows 3 and 4: what a hostile web page can send to a server on the machine of the person who looks at it."""

import base64
import json

import pytest

from tests.security import attacks
from tests.security.conftest import TOKEN
from tests.security.served import serve
from tests.security.test_token import routes

PICTURE = attacks.good(size_hw=(5, 7))
HOSTS = [
    "evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example:{port}", "127.0.0.1@evil.example",
    "evil.example#127.0.0.1", "[::1].evil.example", "0x7f000001", "2130706433", "127.1", "0.0.0.0:{port}", "",
    "127.0.0.1:{port}/evil", "localhost\u00ad.example", "127.0.0.1, evil.example", "l\u043ecalhost",
]  # fmt: skip


def form(field="image", name="a.png", data=PICTURE, kind="image/png"):
    """A multipart body as a form of a page sends it."""
    head = f'--xx\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
    return head.encode() + data + b"\r\n--xx--\r\n"


FORM = "multipart/form-data; boundary=xx"


def computed(server):
    """Pictures that the server has segmented so far."""
    text = server.ask("GET", "/metrics").text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("limner_batch_size_sum"))


def test_a_name_that_is_not_ours_is_forbidden_on_every_route(served):
    for method, path in routes(served):
        answer = served.ask(method, path, headers={"Host": "evil.example"})
        assert answer.status_code == 403, path
        assert "evil" not in answer.text
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("host", HOSTS)
def test_no_spelling_of_another_name_passes(served, host):
    stated = host.format(port=served.port).encode("utf-8")
    answer = served.raw(b"GET /v1/models HTTP/1.1\r\nHost: " + stated + b"\r\nConnection: close\r\n\r\n")
    status = int(answer.split(b" ", 2)[1])
    assert status in (400, 403) or (host == "" and status == 400), answer[:200]


def test_two_names_or_none_are_refused(served):
    for heads in (b"", b"Host: 127.0.0.1\r\nHost: evil.example\r\n", b"Host: evil.example\r\nHost: 127.0.0.1\r\n"):
        answer = served.raw(b"GET /v1/models HTTP/1.1\r\n" + heads + b"Connection: close\r\n\r\n")
        assert answer.split(b" ", 2)[1] in (b"400", b"403")
    answer = served.raw(
        b"GET http://evil.example/v1/models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    )
    assert answer.split(b" ", 2)[1] in (b"400", b"403")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_our_own_names_pass(served, name):
    assert served.ask("GET", "/v1/models", headers={"Host": f"{name}:{served.port}"}).status_code == 200


HOSTILE = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "file://"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://["},
    {"Origin": "http://evil.example\\@127.0.0.1"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "weird"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://evil.example", "X-Limner": "1"},
]
BODIES = {
    "form": (form(), FORM),
    "text": (b'{"image": "' + base64.b64encode(PICTURE) + b'"}', "text/plain"),
    "json": (json.dumps({"image": base64.b64encode(PICTURE).decode()}).encode(), "application/json"),
    "bytes": (PICTURE, "image/png"),
    "nothing": (PICTURE, None),
    "urlencoded": (b"image=x", "application/x-www-form-urlencoded"),
}


@pytest.mark.parametrize(
    "headers", HOSTILE, ids=lambda headers: "+".join(f"{name}={value}" for name, value in headers.items())
)
def test_posts_of_other_pages_are_without_effect(served, headers):
    before = computed(served)
    version = served.ask("GET", "/v1/models/otsu").json()["version"]
    for body, kind in BODIES.values():
        for path in (
            "/v1/predict",
            "/v1/predict/batch",
            "/hf/models/otsu",
            "/v2/models/otsu/infer",
            "/v1/models/otsu/reload",
        ):
            answer = served.ask(
                "POST", path, content=body, headers={**headers, **({"Content-Type": kind} if kind else {})}
            )
            assert answer.status_code == 403, (path, kind)
            assert "access-control-allow-origin" not in answer.headers
    assert computed(served) == before
    assert served.ask("GET", "/v1/models/otsu").json()["version"] == version


def test_our_own_page_has_to_add_a_header_to_what_forms_can_send(served):
    own = {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}
    for kind in ("form", "text", "nothing", "urlencoded"):
        body, content_type = BODIES[kind]
        headers = {**own, **({"Content-Type": content_type} if content_type else {})}
        answer = served.ask("POST", "/v1/predict", content=body, headers=headers)
        assert answer.status_code == 403 and "X-Limner" in answer.json()["error"]["message"]
    body, content_type = BODIES["form"]
    answer = served.ask(
        "POST", "/v1/predict", content=body, headers={**own, "Content-Type": content_type, "X-Limner": "1"}
    )
    assert answer.status_code == 200
    body, content_type = BODIES["json"]
    assert (
        served.ask("POST", "/v1/predict", content=body, headers={**own, "Content-Type": content_type}).status_code
        == 200
    )


def test_scripts_need_no_header(served):
    body, content_type = BODIES["form"]
    assert served.ask("POST", "/v1/predict", content=body, headers={"Content-Type": content_type}).status_code == 200


def test_asking_first_is_answered_with_no(served):
    headers = {
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-limner",
    }
    for path in ("/v1/predict", "/v1/models/otsu/reload", "/"):
        answer = served.ask("OPTIONS", path, headers=headers)
        assert answer.status_code == 403 and not [name for name in answer.headers if name.startswith("access-control")]


def test_a_cookie_alone_does_not_let_another_page_write(guarded):
    """The session of the person who looks at the hostile page goes along with its requests."""
    body, content_type = BODIES["form"]
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Origin": "http://evil.example",
        "Content-Type": content_type,
        "X-Limner": "1",
    }
    assert guarded.ask("POST", "/v1/predict", content=body, headers=headers).status_code == 403


def test_only_named_origins_are_let_in_and_never_with_a_star():
    with serve("otsu", "--allow-origin", "https://lab.example") as server:
        body, content_type = BODIES["json"]
        good = server.ask(
            "POST", "/v1/predict", content=body, headers={"Origin": "https://lab.example", "Content-Type": content_type}
        )
        assert good.status_code == 200 and good.headers["access-control-allow-origin"] == "https://lab.example"
        assert good.headers["vary"] == "Origin" and "access-control-allow-credentials" not in good.headers
        for origin in ("https://lab.example.evil", "http://lab.example", "https://lab.example:444", "null"):
            bad = server.ask(
                "POST", "/v1/predict", content=body, headers={"Origin": origin, "Content-Type": content_type}
            )
            assert bad.status_code == 403 and "access-control-allow-origin" not in bad.headers
            assert (
                "access-control-allow-origin" not in server.ask("GET", "/v1/models", headers={"Origin": origin}).headers
            )


def test_web_sockets_are_not_spoken(served):
    head = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://evil.example\r\n\r\n"
    answer = served.raw(head + key, seconds=2)
    assert b"101" not in answer.split(b"\r\n")[0]
