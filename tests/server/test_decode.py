"""Files are looked at before they are decoded, and decoded where a crash costs nothing."""

import asyncio
import contextlib
import io
import os
import shutil
import signal
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.data.images import read_image
from limner.server.decode import Decoder, decode
from limner.server.limits import Limits
from limner.server.refused import Refused
from limner.server.sniff import suffix_of
from tests.server.pictures import array, encoded

LIMITS = Limits(pixels=4000, side=200, most_frames=4)


@pytest.fixture(scope="module")
def decoder():
    decoder = Decoder(LIMITS, workers=1)
    yield decoder
    decoder.close()


def refused(decoder, data, **options):
    with pytest.raises(Refused) as caught:
        decoder.decode_now(data, **options)
    return caught.value


def png_of(width, height):
    """A PNG that says it is that large and holds next to nothing."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", encoded(array(1))), ("a.jpg", encoded(array(2, (16, 24)), "JPEG")), ("a.bmp", encoded(array(3), "BMP")),
        ("a.webp", encoded(array(4), "WEBP")), ("a.tif", encoded(array(5), "TIFF", photometric="rgb")),
        ("a.tif", encoded(array(6, channels=1, dtype="uint16"), "TIFF")), ("a.png", encoded(array(7, channels=1))),
    ],
)  # fmt: skip
def test_pixels_are_those_of_the_command_line(decoder, tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    expected, found = read_image(tmp_path / name), decoder.decode_now(data)
    assert found.image.dtype == expected.dtype and np.array_equal(found.image, expected)
    assert len(found.frames) == 1


def test_pictures_are_turned_upright(decoder):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(array(1, (16, 24)), "JPEG", exif=exif, quality=100)
    assert decoder.decode_now(data).image.shape == (24, 16, 3)


def test_size_is_refused_before_anything_is_decoded(decoder):
    begun = time.monotonic()
    for data, limit in [
        (png_of(50_000, 50_000), {"side": 200}), (png_of(201, 1), {"side": 200}), (png_of(100, 41), {"pixels": 4000}),
    ]:  # fmt: skip
        found = refused(decoder, data)
        assert (found.status, found.limit) == (413, limit)
    assert time.monotonic() - begun < 5
    assert decoder.decode_now(encoded(np.zeros((20, 200, 1), np.uint8))).image.shape == (20, 200, 1)


def test_frames_are_answered_only_when_asked_for(decoder):
    animation = io.BytesIO()
    frames = [Image.fromarray(array(i)) for i in range(3)]
    frames[0].save(animation, "PNG", save_all=True, append_images=frames[1:])
    for data in (animation.getvalue(), encoded(np.stack([array(i) for i in range(3)]), "TIFF", photometric="rgb")):
        assert (refused(decoder, data).status, refused(decoder, data).limit) == (422, {"frames": 1})
        found = decoder.decode_now(data, frames="all")
        assert np.array_equal(found.frames, [array(i) for i in range(3)])
    many = encoded(np.stack([array(i) for i in range(5)]), "TIFF", photometric="rgb")
    assert refused(decoder, many, frames="all").limit == {"most_frames": 4}
    large = encoded(np.stack([array(i, (40, 40)) for i in range(3)]), "TIFF", photometric="rgb")
    assert refused(decoder, large, frames="all").limit == {"pixels": 4000}


def test_a_photograph_with_another_behind_it_is_one_picture(decoder):
    file = io.BytesIO()
    pictures = [Image.fromarray(array(i, (16, 24))) for i in range(2)]
    pictures[0].save(file, "MPO", save_all=True, append_images=pictures[1:])
    found = decoder.decode_now(file.getvalue())
    assert found.image.shape == (16, 24, 3) and len(found.frames) == 1


@pytest.mark.parametrize("cut", [9, 30, 60, -40])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_damage_is_an_answer(decoder, kind, cut):
    data = encoded(array(1, (24, 40)), kind)[:cut]
    found = refused(decoder, data)
    assert found.status in (415, 422) if cut == 9 and kind == "WEBP" else found.status == 422
    assert "/" not in found.message  # no path of this machine


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GIF89a" + bytes(50), "GIF"), (b"PK\x03\x04" + bytes(50), "ZIP"), (b"  <svg xmlns=''/>", "SVG"),
        (b"\x93NUMPY" + bytes(50), "NPY"), (b"hello", "no picture"), (b"\x80\x04\x95" + bytes(9), "pickle"),
    ],
)  # fmt: skip
def test_other_kinds_are_refused_by_what_they_are(data, words):
    with pytest.raises(Refused) as caught:
        suffix_of(data)
    assert caught.value.status == 415 and words in caught.value.message


def test_a_chain_of_pages_that_bites_its_tail_ends(decoder):
    def directory(width, following):
        entries = [(256, 4, 1, width), (257, 4, 1, 5), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
                   (277, 3, 1, 1), (278, 4, 1, 5), (279, 4, 1, 5 * width)]  # fmt: skip
        return struct.pack("<H", 9) + b"".join(struct.pack("<HHII", *e) for e in entries) + struct.pack("<I", following)

    first, second = 8, 8 + 2 + 9 * 12 + 4
    data = b"II*\0" + struct.pack("<I", first) + directory(7, second) + directory(9, second)
    begun = time.monotonic()
    for frames in (None, "all"):
        with contextlib.suppress(Refused):
            decoder.decode_now(data, frames=frames)
    assert time.monotonic() - begun < 10


def test_a_worker_that_dies_is_replaced(decoder):
    good = encoded(array(1))
    decoder.decode_now(good)
    (process,) = decoder._all
    os.kill(process._process.pid, signal.SIGKILL)
    process._process.wait()
    assert decoder.decode_now(good).image.shape == (5, 7, 3)


def test_a_worker_that_dies_at_work_costs_one_answer(decoder, monkeypatch):
    good = encoded(array(1))
    decoder.decode_now(good)
    (process,) = decoder._all
    os.kill(process._process.pid, signal.SIGSTOP)
    stopped = Decoder(Limits(decode_seconds=-1.5), workers=1)  # half a second: five to start, less three times this
    stopped._idle.get()
    stopped._idle.put(process)
    stopped._all.add(process)
    found = refused(stopped, good)
    assert found.status == 422 and "too long" in found.message
    stopped.close()
    assert decoder.decode_now(good).image.shape == (5, 7, 3)


def test_that_no_process_starts_is_not_the_pictures_fault(monkeypatch):
    decoder = Decoder(LIMITS, workers=1)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", shutil.which("false"))
        found = refused(decoder, encoded(array(1)))
        assert (found.status, found.code) == (503, "decoder") and "does not start" in found.message
    assert decoder.decode_now(encoded(array(1))).image.shape == (5, 7, 3)
    decoder.close()


def test_memory_beyond_the_picture_is_not_given():
    """A TIFF of one small page whose tags unpack to gigabytes, and a good one after it."""

    async def both():
        entries = [(256, 4, 1, 7), (257, 4, 1, 5), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
                   (277, 3, 1, 60_000), (278, 4, 1, 5), (279, 4, 1, 2**31 - 1)]  # fmt: skip
        body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        data = b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", 0)
        with pytest.raises(Refused) as caught:
            await decode(data, limits=LIMITS)
        return caught.value

    assert asyncio.run(both()).status == 422


def test_a_token_is_not_handed_on(monkeypatch):
    monkeypatch.setenv("LIMNER_TOKEN", "secret")
    monkeypatch.setenv("PYTHONUSERBASE", "/where/pip/installs")
    decoder = Decoder(LIMITS, workers=1)
    try:
        decoder.decode_now(encoded(array(1)))
        (process,) = decoder._all
        environment = Path(f"/proc/{process._process.pid}/environ").read_bytes()
    finally:
        decoder.close()
    assert b"secret" not in environment and b"PATH=" in environment
    assert b"PYTHONUSERBASE=/where/pip/installs" in environment  # packages of the user are found
