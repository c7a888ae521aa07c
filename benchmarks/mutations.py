"""Spoil annotation files: bytes, numbers, names, structure; and the classic bombs. Everything follows from a seed."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator

NUMBERS = (
    "NaN", "Infinity", "-Infinity", "1e400", "-1e308", "1e999999999", "0.0000000001", "-0", "1e7", "99999999999999999999999",
    "9" * 5000, "-1", "0", "2147483648", "1e-400", "true", "null", '"12"', '"1e5"', '"NaN"', '"1_0"', "[]", "{}", "[[1]]", "0x10",
)  # fmt: skip
NAMES = (
    "../x", "../../../../etc/passwd", "/etc/passwd", "CON", "nul.png", "__proto__", "constructor", "C:\\Windows\\x.png",
    "\\\\server\\share\\x.png", "http://example.invalid/a.png", "file:///etc/passwd", "data:image/png;base64,AAAA", "", " ", ".",
    "..", "a" * 5000, "a\x00b", "a\nb", "\u202egnp.exe", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "\ud800", "%2e%2e%2f",
    "猫", "é", "A/B/C/D", "&lol;", "'; DROP TABLE x; --", "💥" * 50,
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 3.5, 1e300, 2**63, [], {}, [[]], [None], {"": None}, [1, 2, 3], ["x"], {"x": 1}, [[1, 2], [3]],
    [1, [2]], "x", [0.5] * 7, [[0, 0]] * 4, [True, False], {"counts": [5, -3, 10**9], "size": [10**9, 10**9]},
    {"counts": "1" * 99, "size": [4, 4]}, {"counts": [1, 2], "size": [0, 0]}, {"all_points_x": [1], "all_points_y": [1, 2]},
)  # fmt: skip
_RAW, _TWICE = "@raw@", "@twice@"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_QUOTED = re.compile(r"\"[^\"\\\n]{0,200}\"|'[^'\n]{0,200}'")


def mutate(data: bytes, rng: random.Random) -> bytes:
    """A spoilt copy of an annotation file; one to three changes."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        kind = rng.random()
        text = _text(data)
        if text is None or kind < 0.3:
            data = _bytes(data, rng)
        elif kind < 0.7 and text.lstrip()[:1] in ("{", "["):
            data = _json(text, rng)
        elif kind < 0.6 and text.lstrip()[:1] == "<":
            data = _xml(text, rng).encode("utf-8", "replace")
        else:
            data = _tokens(text, rng).encode("utf-8", "replace")
    return data


def bombs(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of what costs memory or time when it is read without care, fitted to the kind of file; one at a time."""
    text = _text(data) or ""
    yield "200 MB of spaces", b" " * 200_000_000
    yield "zero bytes", b"\0" * 1_000_000
    yield "0xff", b"\xff" * 5_000_000
    start = text.lstrip()[:1]
    if start in ("{", "["):
        name = (_QUOTED.search(text) or re.match("", text))[0] or '"a"'
        yield "nested lists", b"[" * 5_000_000
        yield "nested objects", b'{"a":' * 1_000_000
        yield "nested inside", text.replace(":", ":" + "[" * 100_000, 1).encode()
        yield "string of 200 MB", text.replace(name, '"' + "x" * 200_000_000 + '"', 1).encode()
        yield "string of 100 MB of line breaks", text.replace(name, '"' + "\\n" * 50_000_000 + '"', 1).encode()
        yield "string of 100 MB of quotes", text.replace(name, '"' + '\\"' * 50_000_000 + '"', 1).encode()
        yield "number of 10 MB", text.replace("0", "1" * 10_000_000, 1).encode()
        yield "a million empty lists", b"[" + b"[]," * 1_000_000 + b"[]]"
        yield "a million twin keys", b"{" + b'"a":1,' * 1_000_000 + b'"a":1}'
        yield "half a file of twins", (text.rstrip()[:-1] + "," + text.lstrip()[1:]).encode()
    elif start == "<":
        laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(10))
        tag = '<a x="' + "y" * 100_000_000 + '"/>'
        yield "billion laughs", re.sub(r"(<\w+[^>]*>)", rf"<!DOCTYPE x [{laughs}]>\1&l9;", text, count=1).encode()
        yield "nested elements", b"<a>" * 2_000_000
        yield "attribute of 100 MB", re.sub(r"(<\w+>)", rf"\1{tag}", text, count=1).encode()
        yield "a million elements", re.sub(r"(</\w+>\s*)\Z", "<q/>" * 1_000_000 + r"\1", text).encode()
        yield "comment of 50 MB", b"<!--" + b"- " * 25_000_000
    else:
        yield "cell of 100 MB", text.replace("0", '"' + "x" * 100_000_000 + '"', 1).encode()
        yield "a million commas", (text + "," * 1_000_000).encode()
        yield "a line of a million numbers", (text + " 0.5" * 1_000_000).encode()
        yield "a hundred thousand lines", (text.rstrip("\n") + "\n" + "0 0.1 0.2\n" * 100_000).encode()


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _bytes(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return rng.randbytes(20)
    a, b = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    match rng.randrange(9):
        case 0:
            changed = bytearray(data)
            for _ in range(rng.randint(1, 20)):
                changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            return bytes(changed)
        case 1:
            return data[:a]
        case 2:
            return data[:a] + data[b:]
        case 3:
            return data[:b] + data[a:b][:50_000] + data[b:]
        case 4:
            return (
                data[:a]
                + rng.choice((b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\r", b"\x1b"))
                + data[a:]
            )
        case 5:
            return rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0")) + data
        case 6:
            return (_text(data) or "x").encode(
                rng.choice(("utf-16", "utf-32", "gbk", "cp1252", "utf-16-le")), "replace"
            )
        case 7:
            return data[b:] + data[a:b] + data[:a]
        case _:
            return data + data[a:b]


def _tokens(text: str, rng: random.Random) -> str:
    """Replace a few numbers or quoted names."""
    is_number = rng.random() < 0.6
    places = list((_NUMBER if is_number else _QUOTED).finditer(text))
    for match in sorted(rng.sample(places, min(len(places), rng.choice((1, 1, 3, 10)))), key=lambda m: -m.start()):
        new = rng.choice(NUMBERS) if is_number else f'"{rng.choice(NAMES)}"'
        text = text[: match.start()] + new + text[match.end() :]
    return text


def _xml(text: str, rng: random.Random) -> str:
    tags = list(re.finditer(r"<[^<>]*>", text))
    if not tags:
        return text
    tag = rng.choice(tags)
    a, b = tag.span()
    match rng.randrange(7):
        case 0:
            return text[:a] + text[b:]
        case 1:
            return text[:b] + tag[0] + text[b:]
        case 2:
            return text[:a] + "<deep>" * 300 + tag[0] + text[b:]
        case 3:
            return (
                text[:a]
                + rng.choice(("<![CDATA[x]]>", "<?x y?>", "&lol;", "<!-- -- -->", "&#0;", "&#x202e;", "<a:b/>"))
                + text[a:]
            )
        case 4:
            return re.sub(r"(\w+=)([\"'])[^\"']*\2", rf'\1"{_xml_name(rng)}"', text, count=rng.randint(1, 5))
        case 5:
            other = rng.choice(tags)
            return text[:a] + other[0] + text[b:]
        case _:
            return re.sub(r">[^<>]+<", f">{_xml_name(rng)}<", text, count=rng.randint(1, 5))


def _xml_name(rng: random.Random) -> str:
    name = rng.choice(NAMES + NUMBERS).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return name.replace("\\", "/").replace("\0", "")


def _json(text: str, rng: random.Random) -> bytes:
    """Change one to five places of a parsed document."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return _bytes(text.encode("utf-8", "replace"), rng)
    raw: list[str] = []
    for _ in range(rng.choice((1, 1, 2, 5))):
        document = _changed(document, rng, raw)
    written = json.dumps(document, ensure_ascii=rng.random() < 0.5)
    for i, piece in enumerate(raw):
        written = written.replace(f'"{_RAW}{i}{_RAW}"', piece)
    return re.sub(f"{_TWICE}[0-9]+{_TWICE}", "", written).encode("utf-8", "surrogatepass")


def _changed(document: object, rng: random.Random, raw: list[str]) -> object:
    owners: list[dict | list] = []
    stack = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, dict | list) and node:
            owners.append(node)
            stack.extend(node.values() if isinstance(node, dict) else node)
    if not owners:
        return copy.deepcopy(rng.choice(VALUES))
    owner = rng.choice(owners)
    keys = list(owner) if isinstance(owner, dict) else list(range(len(owner)))
    key = rng.choice(keys)
    match rng.randrange(9):
        case 0:
            owner[key] = copy.deepcopy(rng.choice(VALUES))
        case 1:
            owner[key] = rng.choice(NAMES)
        case 2:
            raw.append(rng.choice((*NUMBERS, "[" * 200 + "]" * 200, '"' + "x" * 300_000 + '"')))
            owner[key] = f"{_RAW}{len(raw) - 1}{_RAW}"
        case 3:
            del owner[key]
        case 4 if isinstance(owner, dict):
            owner[rng.choice(NAMES)] = owner.pop(key)
        case 5 if isinstance(owner, dict):
            owner[f"{_TWICE}{rng.randrange(10**9)}{_TWICE}{key}"] = copy.deepcopy(
                rng.choice((owner[key], rng.choice(VALUES)))
            )
        case 6:
            owner[key] = _other_type(owner[key], rng)
        case 7 if isinstance(owner, list):
            owner.extend(copy.deepcopy(owner[: rng.randint(1, 30)]))
        case _:
            owner[key] = [owner[key]] if rng.random() < 0.5 else {str(key): owner[key]}
    return document


def _other_type(value: object, rng: random.Random) -> object:
    if isinstance(value, dict):
        return list(value.values()) if rng.random() < 0.5 else json.dumps(value)
    if isinstance(value, list):
        return {str(i): item for i, item in enumerate(value)} if rng.random() < 0.5 else len(value)
    if isinstance(value, str):
        return rng.choice((len(value), value.encode("utf-8", "replace").hex(), [value], value.upper() + " "))
    return rng.choice((str(value), [value], {"value": value}, None))
