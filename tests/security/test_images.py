"""Row 8: picture files that lie, unpack to more than they say, or are something else as well."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from limner.server.decode import Decoder
from limner.server.limits import Limits
from limner.server.refused import Refused
from tests.security import attacks


@pytest.fixture(scope="module")
def decoder():
    decoder = Decoder(Limits(), workers=1)
    yield decoder
    decoder.close()


def answer(decoder, data, **options):
    """``(status, limit)`` of a refusal; ``(200, shape)`` of a picture. Quick in any case."""
    start = time.monotonic()
    try:
        decoded = decoder.decode_now(data, **options)
    except Refused as error:
        assert error.message and len(error.message) < 400
        return error.status, error.limit
    finally:
        assert time.monotonic() - start < 10
    return 200, decoded.image.shape


def test_a_header_of_fifty_thousand_pixels_a_side_is_refused_before_it_is_decoded(decoder):
    data = attacks.huge_png()
    assert len(data) < 2000
    status, limit = answer(decoder, data)
    assert status == 413 and limit in ({"side": 20_000}, {"pixels": 64_000_000})
    assert answer(decoder, attacks.long_png())[0] == 413
    assert answer(decoder, attacks.png(8_001, 8_000, body=bytes(100))) == (413, {"pixels": 64_000_000})
    assert answer(decoder, attacks.tiff_huge_size()) == (413, {"side": 20_000})


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_sixty_four_frames_are_asked_for_or_refused(decoder, kind):
    data = attacks.tiff_pages() if kind == "TIFF" else attacks.frames(kind)
    assert answer(decoder, data) == (422, {"frames": 1})
    assert len(decoder.decode_now(data, frames="all").frames) == 64
    more = attacks.tiff_pages(65) if kind == "TIFF" else attacks.frames(kind, 65)
    assert answer(decoder, more, frames="all") == (413, {"most_frames": 64})


@pytest.mark.parametrize(
    "data",
    [attacks.frames("GIF"), attacks.SVG, attacks.HTML, attacks.PICKLE, attacks.archive(), attacks.archive("gzip"), attacks.tar(),
     attacks.tar("bz2"), attacks.tar("xz"), b"\x93NUMPY\x01\0", b"%PDF-1.7", b"{}", b"\0\0\0\x20ftypheic", b"x"],
    ids=["gif", "svg", "html", "pickle", "zip", "gzip", "tar", "tar.bz2", "tar.xz", "npy", "pdf", "json", "heic", "x"],
)  # fmt: skip
def test_what_is_not_on_the_list_is_not_opened(decoder, data):
    status, limit = answer(decoder, data)
    assert status == 415 and "PNG" in limit["formats"]


@pytest.mark.parametrize("make", [attacks.tiff_many_tags, attacks.tiff_huge_tag, attacks.text_bomb_png])
def test_counts_beyond_belief_are_damage(decoder, make):
    assert answer(decoder, make())[0] == 422


@pytest.mark.parametrize("make", [attacks.tiff_loop, attacks.tiff_endless])
def test_a_chain_of_directories_that_leads_back_ends(decoder, make, tmp_path):
    assert answer(decoder, make())[0] in (200, 422)
    (tmp_path / "a.tif").write_bytes(make())
    command = [sys.executable, "-m", "limner", "predict", "otsu", tmp_path / "a.tif", "--out", tmp_path / "out"]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode in (0, 1)


def test_a_picture_gives_no_more_pixels_than_its_header_says(decoder):
    assert answer(decoder, attacks.heavy_png()) == (200, (5, 7, 1))


@pytest.mark.parametrize("make", [attacks.polyglot_zip, attacks.polyglot_html])
def test_of_a_file_of_two_kinds_only_the_picture_is_seen(decoder, make):
    status, shape = answer(decoder, make())
    assert status == 200 and shape in ((40, 56, 3), (5, 7, 1))


@pytest.mark.parametrize("name", sorted(attacks.seeds()))
def test_a_truncated_file_is_no_picture(decoder, name):
    data = attacks.seeds()[name]
    for share in (0.3, 0.6, 0.9):
        status, _ = answer(decoder, data[: int(len(data) * share)])
        # the mark at the end of a PNG, behind all pixels, may be missing
        assert status == 422 or (share == 0.9 and name.endswith(".png")), (name, share)


def test_mutations_are_decoded_or_refused_and_never_end_the_server(decoder):
    rng = np.random.default_rng(7)
    files = list(attacks.seeds().values())
    statuses = {answer(decoder, attacks.mutated(files[i % len(files)], rng))[0] for i in range(300)}
    assert statuses <= {200, 413, 415, 422} and {200, 422} <= statuses
    assert answer(decoder, attacks.good())[0] == 200


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="limits of another process are read from /proc")
def test_memory_and_time_of_the_workers_are_limited_by_the_system():
    """What a decoder takes beyond what its pixels explain ends the worker, not the server."""
    limits = Limits(pixels=1_000_000, body_bytes=2**20, decode_seconds=3)
    decoder = Decoder(limits, workers=1)
    try:
        decoder.decode_now(attacks.good())
        process = next(iter(decoder._all))._process.pid
        lines = Path(f"/proc/{process}/limits").read_text().splitlines()
    finally:
        decoder.close()
    soft = {line[:26].strip(): line[26:].split()[0] for line in lines[1:]}
    assert int(soft["Max address space"]) < 8 * 2**30
    assert int(soft["Max cpu time"]) <= 3 + 5  # what importing took comes on top
    assert soft["Max core file size"] == "0"


def test_a_worker_that_dies_or_hangs_is_replaced():
    decoder = Decoder(Limits(decode_seconds=1), workers=1)
    try:
        assert answer(decoder, attacks.good())[0] == 200
        process = next(iter(decoder._all))
        process._process.kill()
        process._process.wait()
        assert answer(decoder, attacks.good())[0] == 200
        assert next(iter(decoder._all)) is not process
    finally:
        decoder.close()


def test_what_waited_too_long_is_not_decoded(decoder):
    with pytest.raises(Refused) as caught:
        asyncio.run(decoder.decode(attacks.good(), deadline=time.monotonic() - 1))
    assert caught.value.status == 504


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the environment of another process is read from /proc")
def test_the_workers_see_no_token(monkeypatch):
    monkeypatch.setenv("LIMNER_TOKEN", "very-secret")
    decoder = Decoder(Limits(), workers=1)
    try:
        decoder.decode_now(attacks.good())
        environment = Path(f"/proc/{next(iter(decoder._all))._process.pid}/environ").read_bytes()
    finally:
        decoder.close()
    assert b"PATH=" in environment and b"very-secret" not in environment
