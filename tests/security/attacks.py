"""Hostile files, made from nothing but numbers: each is what its name says and a few kilobytes long."""

import io
import struct
import zipfile
import zlib

import numpy as np
import tifffile
from PIL import Image

from tests.make_data import SMALL, picture

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *, body=b"", depth=8, color=0, extra=b""):
    """A PNG whose header says what it likes."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    return SIGNATURE + head + extra + chunk(b"IDAT", zlib.compress(body, 9)) + chunk(b"IEND", b"")


def encoded(array, kind, **options):
    file = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(file, format=kind, **options)
    return file.getvalue()


def tiff(array, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


def good(kind="PNG", seed=0, size_hw=(40, 56), channels=3):
    """A harmless picture file."""
    array = picture(seed, size_hw, channels)
    return tiff(array) if kind == "TIFF" else encoded(array, kind)


def huge_png():
    """50,000 x 50,000 pixels in under 2 kB."""
    return png(50_000, 50_000, depth=1, body=bytes(200_000))


def long_png():
    """One row of 2^31 - 1 pixels."""
    return png(2**31 - 1, 1, body=bytes(1000))


def heavy_png():
    """Says 7 x 5 and unpacks to 64 MiB."""
    return png(7, 5, body=bytes(64 * 2**20))


def text_bomb_png():
    """A compressed text of 64 MiB in a PNG of 7 x 5."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 * 2**20), 9))
    return png(7, 5, body=bytes(5 * 8), extra=text)


def frames(kind, number=64):
    """An animation of 7 x 5."""
    pictures = [Image.fromarray(picture(i, SMALL)) for i in range(number)]
    file = io.BytesIO()
    pictures[0].save(file, format=kind, save_all=True, append_images=pictures[1:])
    return file.getvalue()


def tiff_pages(number=64):
    return tiff(np.stack([picture(i, SMALL) for i in range(number)]), photometric="rgb")


def tiff_directory(entries, *, count=None):
    """A little-endian TIFF with one directory of ``(tag, type, count, value)``, of which the file may state another number."""
    said = len(entries) if count is None else count
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, said) + body + struct.pack("<I", 0)


def tiff_many_tags():
    """A directory of 65,535 tags, of which 3 are there."""
    return tiff_directory([(256, 4, 1, 7), (257, 4, 1, 5), (258, 3, 1, 8)], count=65_535)


def tiff_huge_tag():
    """Strips counted in the thousands of millions."""
    big = 2**32 - 1
    return tiff_directory(
        [
            (256, 4, 1, 7),
            (257, 4, 1, 5),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, 1),
            (273, 4, big, 8),
            (279, 4, big, 8),
        ]
    )


def tiff_huge_size():
    """4,294,967,295 pixels a side in one strip."""
    big = 2**32 - 1
    return tiff_directory(
        [(256, 4, 1, big), (257, 4, 1, big), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (278, 4, 1, big),
         (279, 4, 1, big)]
    )  # fmt: skip


def tiff_loop():
    """A directory that names itself as the next."""
    entries = [
        (256, 4, 1, 7),
        (257, 4, 1, 5),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (279, 4, 1, 35),
    ]
    return tiff_directory(entries)[:-4] + struct.pack("<I", 8)


def tiff_endless():
    """A good directory, and behind it one without entries that names itself as the next, for ever."""
    strip = [
        (256, 4, 1, 7),
        (257, 4, 1, 5),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (279, 4, 1, 35),
    ]
    data = tiff_directory(strip)[:-4]
    at = len(data) + 4
    return data + struct.pack("<I", at) + struct.pack("<HI", 0, at) + bytes(64)


class Evil:
    """An object whose unpickling leaves a file behind."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return (open, (str(self.canary), "w"))


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script><rect width="7" height="5"/></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
PICKLE = b"\x80\x04cposix\nsystem\n(X\x04\x00\x00\x00true\x85R."


def polyglot_zip():
    """A PNG with a ZIP archive behind it, both valid."""
    file = io.BytesIO(good())
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../../escape.txt", "x" * 100)
    return file.getvalue()


def polyglot_html():
    """A PNG with a page in a comment and behind it."""
    return png(7, 5, body=bytes(5 * 8), extra=chunk(b"tEXt", b"Comment\0" + HTML)) + HTML


def exif_jpeg():
    """A JPEG whose EXIF data hold a script as description, a place on earth, and orientation 6."""
    exif = Image.Exif()
    exif[0x010E] = "<img src=x onerror=alert(1)>"
    exif[0x0112] = 6
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)}
    return encoded(picture(3), "JPEG", exif=exif)


def archive(kind="zip"):
    """A ZIP archive, or a gzip file, with a name that leads out of any folder."""
    if kind == "gzip":
        import gzip

        return gzip.compress(good())
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("../../escape.png", good())
    return file.getvalue()


def tar(kind=""):
    import tarfile

    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{kind}" if kind else "w") as packed:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc"
        packed.addfile(info)
    return file.getvalue()


def seeds():
    """Small pictures of every format that is read, of many kinds."""
    rgb, gray = picture(1, SMALL), picture(2, SMALL, 1)
    deep = picture(4, SMALL, 1, "uint16")
    palette = io.BytesIO()
    Image.fromarray(rgb).quantize(8).save(palette, format="PNG")
    return {
        "rgb.png": encoded(rgb, "PNG"),
        "gray.png": encoded(gray, "PNG"),
        "palette.png": palette.getvalue(),
        "deep.png": encoded(deep, "PNG"),
        "rgb.jpg": encoded(rgb, "JPEG"),
        "progressive.jpg": encoded(rgb, "JPEG", progressive=True),
        "exif.jpg": exif_jpeg(),
        "rgb.bmp": encoded(rgb, "BMP"),
        "rgb.webp": encoded(rgb, "WEBP"),
        "lossless.webp": encoded(rgb, "WEBP", lossless=True),
        "plain.tif": tiff(rgb),
        "deflate.tif": tiff(rgb, compression="deflate"),
        "lzw.tif": tiff(gray[..., 0], compression="lzw"),
        "jpeg.tif": tiff(picture(5, (16, 32)), compression="jpeg"),
        "tiled.tif": tiff(picture(6, (40, 56)), tile=(16, 16)),
        "big.tif": tiff(deep[..., 0], bigtiff=True),
        "float.tif": tiff(gray[..., 0].astype("float32")),
        "apng.png": frames("PNG", 2),
    }


def mutated(data, rng):
    """`data` with a few bytes changed, cut out, doubled or put in; never quite the same twice."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        if not out:
            break
        at = int(
            rng.integers(0, min(len(out), 400) if rng.random() < 0.7 else len(out))
        )  # headers are what decoders trust
        action = int(rng.integers(0, 6))
        if action == 0:
            out[at] = int(rng.integers(0, 256))
        elif action == 1:
            out[at] ^= 1 << int(rng.integers(0, 8))
        elif action == 2:
            out[at : at + 4] = rng.choice(
                [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\1\0"]
            )
        elif action == 3:
            del out[at : at + int(rng.integers(1, 20))]
        elif action == 4:
            out[at:at] = rng.bytes(int(rng.integers(1, 20)))
        else:
            out[at:at] = out[at : at + int(rng.integers(1, 40))]
    return bytes(out[: int(rng.integers(1, len(out) + 1))] if rng.random() < 0.1 and out else out)
