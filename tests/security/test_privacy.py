"""Row 15: nobody outside hears of a picture, and what photos and annotators carry with them stays where it was."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from tests.cli.call import limner
from tests.security import attacks
from tests.security.commands import coco, pictures
from tests.security.served import serve

# Runs before everything else in a new process; the interpreter tells it of each name that is looked up and each connection.
WATCH = """
import os, sys
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto", "urllib.Request"):
        with open(os.environ["LIMNER_TEST_WATCH"], "a") as file:
            file.write(f"{event} {arguments[1:] if event in ('socket.connect', 'socket.sendto') else arguments}\\n")
sys.addaudithook(watch)
"""


@pytest.fixture
def watch(tmp_path):
    """An environment whose processes write down whom they talk to; and what they wrote."""
    folder = tmp_path / "watch"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WATCH)
    log = tmp_path / "talk.txt"
    environment = {"PYTHONPATH": f"{folder}", "LIMNER_TEST_WATCH": str(log)}
    return environment, lambda: log.read_text().splitlines() if log.exists() else []


def test_the_watch_sees(watch):
    import os

    environment, talk = watch
    code = "import socket\ntry: socket.create_connection(('127.0.0.1', 9), timeout=1)\nexcept OSError: pass"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment}, check=True)
    assert any("socket.connect" in line for line in talk())


def test_commands_talk_to_nobody(watch, tmp_path):
    import os

    environment, talk = watch
    data = pictures(tmp_path / "data", "a.png")
    (data / "coco.json").write_text(coco("a.png"))
    for words in (
        ("predict", "otsu", data, "--out", tmp_path / "out", "--overlay"),
        ("check", data / "coco.json"),
        ("--help",),
    ):
        subprocess.run(
            [sys.executable, "-m", "limner", *map(str, words)], env={**os.environ, **environment}, capture_output=True
        )
    assert (tmp_path / "out/predictions.json").exists()
    assert talk() == []


def test_the_server_talks_to_nobody_but_who_asks(watch):
    environment, talk = watch
    with serve("otsu", environment=environment) as server:
        assert (
            server.ask(
                "POST", "/v1/predict", content=attacks.exif_jpeg(), headers={"Content-Type": "image/jpeg"}
            ).status_code
            == 200
        )
        for path in ("/", "/docs", "/metrics", "/openapi.json", "/v1/models"):
            assert server.ask("GET", path).status_code == 200
    allowed = ("socket.getaddrinfo", "127.0.0.1")  # its own name; the self-pipe of an event loop is no connection
    assert all(any(word in line for word in allowed) for line in talk()), talk()


def test_pages_name_no_other_host():
    with serve("otsu") as server:
        for path in ("/", "/docs"):
            text = server.ask("GET", path).text
            assert "//" not in text.replace("<!doctype", "").replace("http://127.0.0.1", "").replace(
                "http://www.w3.org", ""
            ), path


def test_the_place_of_a_photo_is_in_no_output(tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(attacks.exif_jpeg())
    with Image.open(photo) as file:
        assert 0x8825 in file.getexif()
    assert limner("predict", "otsu", photo, "--out", tmp_path / "out", "--overlay").code == 0
    written = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".png", ".jpg", ".tif", ".json")]
    assert len(written) >= 3
    for path in written:
        content = path.read_bytes()
        assert b"Exif" not in content and b"eXIf" not in content and b"onerror" not in content, path
        if path.suffix != ".json":
            with Image.open(path) as file:
                assert not file.getexif()


ADDRESS = "someone.private@lab.example"


def test_addresses_of_annotators_are_not_copied(tmp_path):
    """Names of accounts in the files of other tools are read over when their annotations are written in another format."""
    home = pictures(tmp_path / "data", "a.png")
    result = {
        "id": "q", "type": "polygonlabels", "from_name": "label", "to_name": "image", "original_width": 30, "original_height": 20,
        "image_rotation": 0, "value": {"points": [[10, 10], [60, 20], [30, 70]], "polygonlabels": ["cell"]},
    }  # fmt: skip
    person = {"id": 1, "email": ADDRESS, "first_name": "Some"}
    studio = [{"id": 1, "created_by": person, "data": {"image": "a.png"},
               "annotations": [{"id": 1, "completed_by": person, "result": [result]}]}]  # fmt: skip
    (home / "studio.json").write_text(json.dumps(studio))
    people = (
        f"<owner><username>some</username><email>{ADDRESS}</email></owner><assignee><email>{ADDRESS}</email></assignee>"
    )
    polygon = '<polygon label="cell" occluded="0" points="3,2;18,4;9,14" z_order="0"></polygon>'
    image = f'<image id="0" name="a.png" width="30" height="20">{polygon}</image>'
    head = f'<?xml version="1.0"?><annotations><version>1.1</version><meta><task>{people}</task></meta>'
    (home / "cvat.xml").write_text(f"{head}{image}</annotations>")
    (home / "coco.json").write_text(coco("a.png", info={"contributor": ADDRESS}))
    for source in ("studio.json", "cvat.xml", "coco.json"):
        for to in ("masks", "coco", "labelme", "cvat", "label-studio", "via2", "yolo-seg"):
            out = tmp_path / f"{source}-{to}"
            outcome = limner("convert", home / source, out, "--to", to)
            assert "Traceback" not in outcome.err
            files = [path for path in ([out] if out.is_file() else out.rglob("*")) if path.is_file()]
            if outcome.code == 0:
                assert files
            found = [path for path in files if ADDRESS.encode() in path.read_bytes()]
            if (source, to) == ("coco.json", "coco"):
                assert found  # whom a data set is to be credited to stays with it in its own format
            else:
                assert not found, (source, to)
