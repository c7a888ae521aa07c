"""The route of the page without a browser: headers, files, and a copy that is not built."""

import pytest

pytest.importorskip("fastapi", reason="the server needs the extra [server]")

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from limner.server.refused import Refused
from limner.server.routes import page


def client(static):
    app = FastAPI()
    app.include_router(page.router(None, static=static))

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused):
        return JSONResponse(error.as_dict(), error.status)

    return TestClient(app)


@pytest.fixture
def static(tmp_path):
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>page</title>", encoding="utf-8")
    (folder / "THIRD_PARTY.txt").write_text("licences", encoding="utf-8")
    (folder / "assets" / "index-abc.js").write_text("export {};", encoding="utf-8")
    (folder / "assets" / "icon-def.svg").write_text("<svg/>", encoding="utf-8")
    (tmp_path / "secret.js").write_text("nobody reads this", encoding="utf-8")
    return folder


def test_the_page_may_load_from_its_server_alone(static):
    answer = client(static).get("/")
    assert answer.status_code == 200 and answer.text.endswith("page</title>")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert (
        policy["default-src"] == "'self'" and policy["object-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    )
    assert (
        "unsafe" not in answer.headers["content-security-policy"]
        and "*" not in answer.headers["content-security-policy"]
    )
    assert set(policy["img-src"].split()) == {"'self'", "data:", "blob:"}
    assert answer.headers["cache-control"] == "no-cache"
    assert "camera=(self)" in answer.headers["permissions-policy"]


def test_files_with_a_hash_in_their_name_stay_for_good(static):
    found = client(static).get("/assets/index-abc.js")
    assert found.text == "export {};" and found.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in found.headers["cache-control"]
    again = client(static).get("/assets/index-abc.js", headers={"If-None-Match": found.headers["etag"]})
    assert again.status_code == 304 and again.content == b""
    assert client(static).get("/assets/icon-def.svg").headers["content-type"] == "image/svg+xml"
    assert client(static).head("/").headers["content-length"] == str(len((static / "index.html").read_bytes()))


@pytest.mark.parametrize(
    "path",
    ["/assets/none.js", "/assets/../index.html", "/assets/%2e%2e%2f%2e%2e%2fsecret.js", "/assets/..%5c..%5csecret.js",
     "/assets//etc/passwd", "/assets/", "/assets/index-abc.js%00.txt"],
)  # fmt: skip
def test_nothing_else_is_reached(static, path):
    answer = client(static).get(path)
    assert answer.status_code == 404 and "nobody" not in answer.text


def test_licences(static):
    assert client(static).get("/THIRD_PARTY.txt").text == "licences"


def test_a_copy_that_is_not_built_says_how_to_build_it(tmp_path):
    bare = client(tmp_path / "none")
    answer = bare.get("/")
    assert answer.status_code == 200 and "npm ci --ignore-scripts &amp;&amp; npm run build" in answer.text
    assert "<script" not in answer.text and "default-src 'self'" in answer.headers["content-security-policy"]
    assert bare.get("/assets/index.js").status_code == 404
    assert bare.get("/THIRD_PARTY.txt").status_code == 404


def test_a_file_of_an_unknown_kind_is_noticed_at_the_start(static):
    (static / "assets" / "index.js.map").write_text("{}", encoding="utf-8")
    with pytest.raises(KeyError):
        client(static)
