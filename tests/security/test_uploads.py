"""Rows 6, 8, 9, 12 and 13 over HTTP: bodies, files, names and what comes back of them."""

import base64
import json

import pytest

from tests.security import attacks
from tests.security.commands import canary
from tests.security.test_browsers import FORM, form
from tests.security.test_paths import NAMES

PNG = {"Content-Type": "image/png"}
ROUTES = {
    "bytes": lambda data: ("/v1/predict", {"content": data, "headers": PNG}),
    "form": lambda data: ("/v1/predict", {"content": form(data=data), "headers": {"Content-Type": FORM}}),
    "json": lambda data: ("/v1/predict", {"json": {"image": base64.b64encode(data).decode()}}),
    "hf": lambda data: ("/hf/models/otsu", {"json": {"inputs": base64.b64encode(data).decode()}}),
    "v2": lambda data: ("/v2/models/otsu/infer", {"json": {"inputs": [
        {"name": "image", "shape": [1], "datatype": "BYTES", "data": [base64.b64encode(data).decode()]}]}}),
}  # fmt: skip
FILES = {
    "fifty thousand": (attacks.huge_png(), 413),
    "endless tiff": (attacks.tiff_huge_size(), 413),
    "frames": (attacks.frames("PNG"), 422),
    "gif": (attacks.frames("GIF"), 415),
    "svg": (attacks.SVG, 415),
    "zip": (attacks.archive(), 415),
    "gzip": (attacks.archive("gzip"), 415),
    "tar": (attacks.tar(), 415),
    "pickle": (attacks.PICKLE, 415),
    "truncated": (attacks.good()[:999], 422),
    "tags": (attacks.tiff_many_tags(), 422),
    "text bomb": (attacks.text_bomb_png(), 422),
    "script behind": (attacks.polyglot_html(), 200),
    "zip behind": (attacks.polyglot_zip(), 200),
}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", FILES)
def test_hostile_files_get_the_same_answer_by_every_way_in(served, route, name):
    data, status = FILES[name]
    path, options = ROUTES[route](data)
    answer = served.ask("POST", path, **options)
    assert answer.status_code == status
    assert (
        answer.headers["content-type"].startswith("application/json")
        and answer.headers["x-content-type-options"] == "nosniff"
    )
    if status == 413 and route != "v2":
        assert set(answer.json()["error"]["limit"]) <= {"pixels", "side", "body_bytes"}


def test_the_server_lives_on(served):
    assert served.is_alive()


@pytest.mark.parametrize("stated", [None, "99999999999", "0", "5", "-1", "x"])
def test_bodies_are_counted_whatever_the_header_says(served, stated):
    """The limit of this server is 2 MiB; without a length 8 MiB are sent, in chunks."""
    head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nConnection: close\r\n"
    block = bytes(2**16)
    if stated is None:
        answer = served.raw(
            head + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + block + b"\r\n") * 128 + b"0\r\n\r\n"
        )
    else:
        answer = served.raw(head + f"Content-Length: {stated}\r\n\r\n".encode() + block[:100])
    assert answer[9:12] == b"413" if stated in (None, "99999999999") else answer[9:12] in (b"400", b"415", b"422"), (
        answer[:200]
    )
    assert served.is_alive()


def test_lengths_that_disagree_are_no_way_to_smuggle_a_second_request(served):
    head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
    head += b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = served.raw(head + b"0\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n", seconds=2)
    assert b'"models"' not in answer


def test_json_has_bounds(served):
    kind = {"Content-Type": "application/json"}
    for body in (
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"image": 1e400}',
        b'{"image": NaN}',
        b'{"image": "a", "image": "b"}',
        b"\xff\xfe",
        b"null",
        b"",
    ):
        for path in ("/v1/predict", "/hf/models/otsu", "/v2/models/otsu/infer"):
            answer = served.ask("POST", path, content=body, headers=kind)
            assert answer.status_code == 422, (path, body[:20])
    large = b'{"image": "' + b"a" * 3_000_000 + b'"}'
    assert served.ask("POST", "/v1/predict", content=large, headers=kind).status_code == 413


@pytest.mark.parametrize("name", [*NAMES, "é猫.png", 'a;b".png', "a\r\nSet-Cookie: x=1.png"], ids=repr)
def test_names_of_files_lead_nowhere_and_break_nothing(served, name):
    plain = (
        name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "%0D").replace("\n", "%0A").replace("\0", "%00")
    )
    for output in ("json", "mask_png", "overlay_png", "coco"):
        answer = served.ask(
            "POST", f"/v1/predict?output={output}", content=form(name=plain), headers={"Content-Type": FORM}
        )
        assert answer.status_code in (200, 422), answer.text[:200]
        assert "set-cookie" not in answer.headers
        stated = answer.headers.get("content-disposition", "attachment; filename=x")
        assert stated.startswith("attachment; filename=") and stated.isascii() and stated.isprintable()
        assert not set(stated.partition("filename=")[2].strip('"')) & set('/\\:<>"|?*') and ".." not in stated


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../token.py",
        "/assets/..%2f..%2ftoken.py",
        "/assets/%2e%2e/%2e%2e/token.py",
        "/assets/..%5c..%5ctoken.py",
        "/assets//etc/passwd",
        "/assets/%00",
        "/docs/../token.py",
        "/docs/%2e%2e/token.py",
        "//etc/passwd",
        "/v1/models/..%2f..%2fetc%2fpasswd",
        "/v2/models/%2e%2e/infer",
        "/assets/CON",
        "/" + "a" * 300,
        "/v1/models/" + "%41" * 5000,
    ],
)
def test_addresses_lead_to_no_file(served, path):
    answer = served.raw(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert answer[9:12] in (b"404", b"400", b"405", b"414"), answer[:100]
    assert b"import" not in answer and b"root:" not in answer


def test_no_address_that_a_client_names_is_fetched(served):
    """Row 12."""
    with canary() as bird:
        url = f"http://127.0.0.1:{bird.port}/a.png"
        assert served.ask("POST", "/v1/predict", json={"image": url}).status_code == 422
        assert served.ask("POST", "/v1/predict", json={"url": url, "image": "AAAA"}).status_code == 422
        assert served.ask("POST", f"/v1/predict?image={url}&url={url}", content=b"x", headers=PNG).status_code == 422
        assert (
            served.ask("POST", "/v1/predict", content=form(name=url), headers={"Content-Type": FORM}).status_code == 200
        )
        assert served.ask("POST", "/hf/models/otsu", json={"inputs": url}).status_code == 422
        tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [url]}
        assert served.ask("POST", "/v2/models/otsu/infer", json={"inputs": [tensor]}).status_code == 422
        assert served.ask("GET", f"/v1/models/{url}").status_code == 404
        assert served.ask("POST", f"/v1/predict?model={url}", content=attacks.good(), headers=PNG).status_code == 404


EVIL = "<img src=x onerror=alert(1)>\"'</script><script>alert(1)</script>"


def test_what_clients_send_comes_back_as_text_only(served):
    """Row 13: no answer that holds a client's words is of a type in which they could run."""
    for method, path in (
        ("GET", f"/{EVIL}"),
        ("GET", f"/v1/models/{EVIL}"),
        ("GET", f"/assets/{EVIL}"),
        ("POST", f"/v1/predict?{EVIL}=1"),
        ("POST", f"/v1/predict?output={EVIL}"),
        ("GET", f"/v2/models/{EVIL}"),
        ("GET", f"/docs?{EVIL}"),
        ("GET", f"/?x={EVIL}"),
    ):
        answer = served.ask(method, path, content=b"x" if method == "POST" else None)
        kind = answer.headers["content-type"]
        if kind.startswith("text/html"):
            assert "onerror" not in answer.text
        else:
            assert kind.startswith(("application/json", "text/plain"))
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        for rule in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
            assert rule in policy
        assert "unsafe" not in policy and "*" not in policy
    answer = served.ask(
        "POST",
        "/v1/predict/batch",
        content=form(name="<img src=x onerror=alert(1)>.png"),
        headers={"Content-Type": FORM},
    )
    assert (
        answer.headers["content-type"].startswith("application/json")
        and "onerror" in json.loads(answer.text)["results"][0]["name"]
    )


def test_files_come_as_downloads_with_fixed_types(served):
    for output, kind in (("mask_png", "image/png"), ("overlay_png", "image/png")):
        answer = served.ask(
            "POST", f"/v1/predict?output={output}", content=form(name="a.svg"), headers={"Content-Type": FORM}
        )
        assert answer.headers["content-type"] == kind
        assert answer.headers["content-disposition"].startswith("attachment")


def test_a_script_in_the_description_of_a_photo_does_not_come_back(served):
    """Rows 13 and 15: neither text nor place of a photo's EXIF data stands in any answer."""
    data = attacks.exif_jpeg()
    assert b"onerror" in data
    for output in ("json", "mask_png", "overlay_png", "polygons", "rle", "coco"):
        answer = served.ask(
            "POST", f"/v1/predict?output={output}", content=data, headers={"Content-Type": "image/jpeg"}
        )
        assert answer.status_code == 200
        content = (
            answer.content
            if "mask_png" not in answer.text
            else answer.content + base64.b64decode(answer.json().get("mask_png", ""))
        )
        assert b"onerror" not in content and b"Exif" not in content and b"eXIf" not in content and b"GPS" not in content
    assert served.ask("POST", "/v1/predict", content=data, headers=PNG).json()["size_hw"] == [56, 40]  # upright
