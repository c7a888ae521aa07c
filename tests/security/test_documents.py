"""Rows 9 and 10, and 12 for annotation files: JSON and XML that are deep, endless, or ask for other files."""

import json
import time

import pytest

from tests.cli.call import limner
from tests.security.commands import canary, check_refuses, coco, pictures

ENTITIES = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(10))
LAUGHS = (
    f"<?xml version='1.0'?><!DOCTYPE a [{ENTITIES}]><annotations><version>1.1</version><meta>&l9;</meta></annotations>"
)
LABELME = "<!DOCTYPE a [{}]><annotation><filename>&x;</filename><folder>f</folder></annotation>"


@pytest.mark.parametrize("name", ["labels.xml", "annotations.xml"])
def test_a_billion_laughs_are_not_laughed(tmp_path, name):
    (pictures(tmp_path, "a.png") / name).write_text(LAUGHS)
    start = time.process_time()
    check_refuses(tmp_path / name, "DOCTYPE")
    assert time.process_time() - start < 5


def test_an_entity_reads_no_file_and_asks_no_server(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("canary-7519")
    with canary() as bird:
        for target in (f"file://{secret}", f"http://127.0.0.1:{bird.port}/x", str(secret)):
            for kind in (f'<!ENTITY x SYSTEM "{target}">', f'<!ENTITY % p SYSTEM "{target}"> %p;'):
                (tmp_path / "a.xml").write_text(LABELME.format(kind))
                assert "canary-7519" not in check_refuses(tmp_path / "a.xml", "DOCTYPE")
        (tmp_path / "a.xml").write_text(f'<!DOCTYPE a SYSTEM "http://127.0.0.1:{bird.port}/a.dtd"><annotation/>')
        check_refuses(tmp_path / "a.xml", "DOCTYPE")
        included = f'<annotation xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{secret}" parse="text"/></annotation>'
        (tmp_path / "a.xml").write_text(included)
        assert "canary-7519" not in check_refuses(tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[" * 100_000 + "]" * 100_000, "deep"), ('{"a":' * 100_000, "deep"), ("<a>" * 100_000, "deep"),
        (coco("a.png").replace("18", "1e400"), "not-a-number"), (coco("a.png").replace("18", "NaN"), "not-a-number"),
        (coco("a.png").replace("18", "9" * 5000), "digits"),
    ],
    ids=["brackets", "objects", "elements", "1e400", "NaN", "digits"],
)  # fmt: skip
def test_depth_and_numbers_have_bounds(tmp_path, text, word):
    file = pictures(tmp_path, "a.png") / ("a.xml" if text.startswith("<") else "a.json")
    file.write_text(text)
    start = time.process_time()
    outcome = limner("check", file)
    assert word in outcome.out + outcome.err and "Traceback" not in outcome.err
    assert time.process_time() - start < 5


def test_a_string_of_two_hundred_megabytes_is_not_kept(tmp_path):
    file = tmp_path / "a.json"
    with file.open("w") as writer:
        writer.write('{"images": "')
        for _ in range(200):
            writer.write("a" * 1_000_000)
        writer.write('"}')
    check_refuses(file, "longer than 64 MiB")


def test_a_key_twice_is_said(tmp_path):
    text = coco("a.png").replace('"categories"', '"images": [], "categories"')
    file = pictures(tmp_path, "a.png") / "a.json"
    file.write_text(text)
    outcome = limner("check", file, "--json")
    assert "twice" in outcome.out + outcome.err


def test_addresses_in_annotations_are_names_and_nothing_more(tmp_path):
    """Row 12: pictures that annotation files claim to lie on servers are looked for by their name, beside the file."""
    pictures(tmp_path, "a.png")
    with canary() as bird:
        host = f"127.0.0.1:{bird.port}"
        names = (
            f"http://{host}/a.png",
            f"https://{host}/b.png",
            f"ftp://{host}/c.png",
            f"//{host}/d.png",
            f"\\\\{host}\\e.png",
        )
        (tmp_path / "coco.json").write_text(coco(*names, coco_url=f"http://{host}/x"))
        limner("check", tmp_path / "coco.json")
        limner("convert", tmp_path / "coco.json", tmp_path / "out", "--to", "masks")
        studio = [
            {"id": i, "data": {"image": name}, "annotations": [{"id": 1, "result": []}]} for i, name in enumerate(names)
        ]
        (tmp_path / "studio.json").write_text(json.dumps(studio))
        limner("check", tmp_path / "studio.json")
        via = {name: {"filename": name, "size": 1, "regions": [], "file_attributes": {}} for name in names}
        (tmp_path / "via.json").write_text(json.dumps(via))
        limner("check", tmp_path / "via.json")
        for name in names:
            assert limner("predict", "otsu", name, "--out", tmp_path / "p").code != 0
            assert limner("predict", name, tmp_path / "a.png", "--out", tmp_path / "q").code != 0
            assert limner("check", name).code != 0
