import time
from pathlib import Path

import pytest

from limner.core.errors import DataError
from limner.data.formats import safe_xml
from limner.data.formats.safe_xml import parse_xml

PATH = Path("some/labels.xml")
BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [
 <!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
 <!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]>
<annotation><filename>&lol3;</filename></annotation>"""
ELSEWHERE = """<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>"""
OUTER = """<!DOCTYPE a SYSTEM "http://example.invalid/a.dtd"><a/>"""


def refusal(text: str) -> DataError:
    with pytest.raises(DataError) as caught:
        parse_xml(text, PATH)
    assert str(PATH) in caught.value.where and len(caught.value.text()) < 500
    return caught.value


def test_tree():
    root = parse_xml(
        '\n<?xml version="1.0" encoding="gbk"?><a x="1 &amp; 2"><b>猫 &lt;</b>tail<!-- no --><c/></a>', PATH
    )
    assert (root.tag, root.attrib) == ("a", {"x": "1 & 2"})
    assert [(e.tag, e.text, e.tail) for e in root] == [("b", "猫 <", "tail"), ("c", None, None)]


@pytest.mark.parametrize("text", [BOMB, ELSEWHERE, OUTER])
def test_document_types_are_never_read(text):
    assert "DOCTYPE" in refusal(text).found


@pytest.mark.parametrize(
    "text",
    ["", "<a>", "<a></b>", "<a>&lol;</a>", "<a/><b/>", "<a x='1' x='2'/>", "<a>\x01</a>", "<a", "<a><![CDATA[", "text"],
)
def test_what_is_not_xml(text):
    where = refusal(text).where
    assert "line" in where and "column" in where


def test_place_of_an_error():
    error = refusal("<a>\n <b>1</b>\n <c>2</d>\n</a>")
    assert "mismatched tag" in error.found and "line 3" in error.where and "<c>2</d>" in error.where


def test_depth():
    parse_xml("<a>" * 100 + "</a>" * 100, PATH)
    assert "deep" in refusal("<a>" * 101 + "</a>" * 101).found
    start = time.process_time()
    assert "deep" in refusal("<a>" * 1_000_000).found
    assert time.process_time() - start < 3


def test_number_of_elements(monkeypatch):
    monkeypatch.setattr(safe_xml, "MOST_ELEMENTS", 10)
    parse_xml("<a>" + "<b/>" * 9 + "</a>", PATH)
    assert "elements" in refusal("<a>" + "<b/>" * 10 + "</a>").found


@pytest.mark.parametrize(
    "text",
    [
        '<a x="' + "y" * 17_000_000 + '"/>', "<a>" + "y" * 17_000_000 + "</a>", "<a><!--" + "<y" * 9_000_000 + "--></a>",
        "<a><?p " + "<y" * 9_000_000 + "?></a>", "<a><![CDATA[" + "<y" * 9_000_000,
        "<a>" + "<!-- -->" * 9 + "<!--" + "<" * 17_000_000,
    ],
)  # fmt: skip
def test_giant_pieces_take_no_time(text):
    start = time.process_time()
    assert "16 MiB" in refusal(text).found
    assert time.process_time() - start < 2


def test_large_files_of_small_pieces_are_read():
    assert len(parse_xml("<a>" + '<b x="1"/>text of it' * 200_000 + "<!-- c --></a>", PATH)) == 200_000
