"""The page about the routes: everything in it comes from this server, nothing runs in it, nothing breaks out of it."""

import re
from html.parser import HTMLParser

import pytest

from limner.server.routes.docs import grouped, kind_of
from tests.server.live import Live


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    live = Live(tmp_path_factory.mktemp("bundle"), names=("otsu",))
    yield live
    live.close()


class Page(HTMLParser):
    """Tags, addresses and text of a page; fails where tags are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.text, self._open = [], [], [], []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            assert not name.startswith("on") and name != "style", name
            if name in ("href", "src", "action"):
                self.links.append(value)
        if tag not in ("meta", "link", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_names_every_route_and_needs_no_other_host(live):
    answer = live.ask("GET", "/docs")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    page = Page(answer.text)
    assert not {"script", "style", "iframe", "object", "img", "form"} & set(page.tags)
    assert all(link == "data:," or (link.startswith(("/", "#")) and not link.startswith("//")) for link in page.links)
    shown = "".join(page.text)
    for path, methods in live.ask("GET", "/openapi.json").json()["paths"].items():
        assert path in shown and all(method.upper() in shown for method in methods)
    assert "body_bytes" in shown and str(live.settings.limits.body_bytes) in shown


def test_its_files_are_there_and_the_policy_lets_them_in(live):
    page = live.ask("GET", "/docs")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    style = live.ask("GET", next(link for link in Page(page.text).links if link.endswith(".css")))
    assert style.status_code == 200 and style.headers["content-type"].startswith("text/css")
    assert "http" not in style.text and "@import" not in style.text and "url(" not in style.text


def test_the_schema_of_a_request_is_written_out(live):
    page = live.ask("GET", "/docs").text
    assert re.search(r"mask_threshold</code></td><td>number, 0 to 1</td>", page)
    assert "overlap_mask_area_threshold" in page


EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def test_what_stands_in_the_document_is_text(live, monkeypatch):
    document = {
        "info": {"title": EVIL, "version": EVIL, "description": EVIL},
        "paths": {
            EVIL: {
                "post": {
                    "tags": [EVIL],
                    "description": EVIL,
                    "parameters": [{"name": EVIL, "in": EVIL, "schema": {"enum": [EVIL]}, "description": EVIL}],
                    "requestBody": {
                        "content": {EVIL: {"schema": {"properties": {EVIL: {"type": EVIL, "description": EVIL}}}}}
                    },
                    "responses": {EVIL: {"description": EVIL}},
                }
            }
        },
    }
    monkeypatch.setattr(live.app, "openapi", lambda: document)
    text = live.ask("GET", "/docs").text
    page = Page(text)
    assert not {"script", "img"} & set(page.tags)
    assert "".join(page.text).count(EVIL) >= 10


def test_schemas_that_refer_to_themselves_or_nowhere_end():
    document = {
        "components": {
            "schemas": {
                "Loop": {"$ref": "#/components/schemas/Loop"},
                "Tree": {"properties": {"child": {"$ref": "#/components/schemas/Tree"}}},
            }
        },
        "paths": {
            "/x": {
                "get": {
                    "responses": {
                        "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tree"}}}}
                    }
                }
            }
        },
    }
    rows = grouped(document)["server"][0]["answers"][0][2]
    assert [row["name"] for row in rows] == ["child"] * 6
    assert kind_of(document, {"$ref": "#/components/schemas/Loop"}) == "anything"
    assert kind_of(document, {"$ref": "http://127.0.0.1:9/x"}) == "anything"
    assert (
        kind_of(document, {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}})
        == "list of text or nothing"
    )
