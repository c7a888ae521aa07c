import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import DataError
from limner.data.formats import json_scan
from limner.data.formats.safe_json import parse_document, parse_json

PATH = Path("some/labels.json")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**19), 10**19) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\\\"[{]},:\n猫", max_size=4), inner, max_size=4),
)  # fmt: skip


def refusal(text: str) -> DataError:
    with pytest.raises(DataError) as caught:
        parse_json(text, PATH)
    assert str(PATH) in caught.value.where and len(caught.value.text()) < 500
    return caught.value


@given(VALUES, st.booleans(), st.sampled_from([None, 2]), st.sampled_from([3, 8, 2**20]))
def test_everything_that_is_json_is_read(value, ascii_only, indent, chunk):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    before, json_scan._CHUNK = json_scan._CHUNK, chunk
    try:
        assert parse_json(text, PATH) == (value, ())
    finally:
        json_scan._CHUNK = before


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"]]]":'])
def test_depth(opening):
    each = sum(c in "[{" for c in opening.replace('"]]]"', ""))
    good = 100 // each
    closing = {"[": "]", '{"a":': "}", '[{"]]]":': "}]"}[opening]
    parse_json(opening * good + "1" + closing * good, PATH)
    error = refusal(opening * (good + 1) + "1" + closing * (good + 1))
    assert "deep" in error.found and f"column {len(opening) * good + 1}" in error.where
    start = time.process_time()
    assert "deep" in refusal(opening * 1_000_000).found  # a nesting bomb
    assert "deep" in refusal('["]]]]",' * 1_000_000).found  # closing brackets in strings do not count
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", "-1E+400", "1.5e309", "12345678901234567890e299"]
)
def test_numbers_that_are_not_finite(number):
    error = refusal(f'{{"a": 1,\n "e400 NaN 1e400": [2, {number}]}}')
    assert "line 2" in error.where
    assert number.lstrip("-") in error.found or "too large" in error.found


@pytest.mark.parametrize("chunk", [5, 2**20])
def test_numbers_in_order(monkeypatch, chunk):
    monkeypatch.setattr(json_scan, "_CHUNK", chunk)
    text = '{"1e999": "NaN 1e999 999999999999999999999999 \\" 1e999", "b": [1e300, 0.12345678901234567890123456789, 1e-400]}'
    assert parse_json(text, PATH)[0]["b"] == [1e300, 0.12345678901234567890123456789, 0.0]
    assert parse_json("12345678901234567890", PATH)[0] == 12345678901234567890


def test_endless_digits_take_no_time():
    start = time.process_time()
    assert "21 digits" in refusal("[123456789012345678901]").found
    assert "digits" in refusal("[" + "7" * 3_000_000 + "]").found
    assert "digits" in refusal("[0." + "7" * 3_000_000 + "]").found
    refusal("[" + "1e301," * 300_000 + "1]")
    assert time.process_time() - start < 4


def test_duplicates_are_named():
    text = '{"a": {"x": 1, "x": 2, "x": 3}, "b": [0, {"__proto__": 1, "__proto__": 2}], "c": {"q": 1, "q": 1}, "c": 5}'
    value, places = parse_json(text, PATH)
    assert value == {"a": {"x": 3}, "b": [0, {"__proto__": 2}], "c": 5}
    assert sorted(places) == [".../q", "a/x", "a/x", "b/1/__proto__", "c"]
    _, many = parse_json("[" + ",".join(['{"a":1,"a":2}'] * 5000) + "]", PATH)
    assert len(many) == 100 and many[1] == "1/a"


def test_long_strings(monkeypatch):
    monkeypatch.setattr(json_scan, "LONGEST_STRING", 50)
    monkeypatch.setattr(json_scan, "_CHUNK", 16)
    assert parse_json(json.dumps(["x" * 49, "y" * 49]), PATH)[0] == ["x" * 49, "y" * 49]
    assert "string" in refusal(json.dumps({"a": "b", "c": "x" * 51})).found
    assert "string" in refusal('["' + '\\"' * 26).found  # never closed


def test_very_many_values(monkeypatch):
    monkeypatch.setattr(json_scan, "MOST_MEMORY", 10_000)
    parse_json("[" + "1," * 100 + "1]", PATH)
    assert "memory" in refusal("[" + "{}," * 100 + "1]").found


@pytest.mark.parametrize(
    "text",
    ["", "  \n", "{", '{"a" 1}', "[1, 2", '"abc', "{'a': 1}", "[1,]", "nul", '{"a": 01}', "[1] 2", '["\x01"]', "\\"],
)
def test_what_is_not_json(text):
    error = refusal(text)
    assert "line" in error.where and "column" in error.where


def test_place_of_an_error():
    error = refusal('{"a": 1,\n  "b": tru }')
    assert "line 2, column 8" in error.where and "tru" in error.where


def test_halves_of_signs_can_be_written_afterwards():
    value, _ = parse_json('{"a\\ud800": ["\\uDFFFx", "\\ud83d\\ude00", "\\u0000", "\\\\ud800"]}', PATH)
    assert value == {"a�": ["�x", "😀", "�", "\\ud800"]}
    json.dumps(value, ensure_ascii=False).encode()


@pytest.mark.parametrize("chunk", [7, 2**20])
def test_odd_numbers_may_cost_their_record_alone(monkeypatch, chunk):
    monkeypatch.setattr(json_scan, "_CHUNK", chunk)
    text = '{"a": [{"x": NaN, "y": 1.5}, [1e400, 2, -1e400, "1e400"], 123456789012345678901, 7], "b": -Infinity, "c": 1e250}'
    document = parse_document(text, PATH)
    assert document.value == {
        "a": [{"x": "NaN", "y": 1.5}, ["1e400", 2, "-1e400", "1e400"], "123456789012345678901", 7], "b": "-Infinity", "c": 1e250,
    }  # fmt: skip
    assert sorted(document.odd_numbers) == ["a/0/x", "a/1/0", "a/1/2", "a/2", "b"]
    assert all(type(child) is str for child in document.value["a"][1][:1])
    json.dumps(document.value, allow_nan=False)
    assert "NaN" in refusal(text).found and "column 14" in refusal(text).where


def test_what_makes_a_whole_document_unreadable():
    for text in ("[NaN, " + "[" * 200, "[NaN, 1", "[" + "7" * 2000 + "]", "[1e400,," + "1]", "[NaM, NaN]"):
        with pytest.raises(DataError):
            parse_document(text, PATH)
    assert parse_document("NaN", PATH).value == "NaN"
    many = parse_document("[" + "NaN," * 500 + "1]", PATH)
    assert len(many.odd_numbers) == 100 and set(many.value[:-1]) == {"NaN"}
