import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.evaluation.names import visible


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Kern 核 ä.png", "Kern 核 ä.png"),
        ("a\u202egnp.exe", "a\\u202egnp.exe"),
        ("a\nb\x00\x1b[31m", "a\\u000ab\\u0000\\u001b[31m"),
        ("half \ud800", "half \\ud800"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("<b>&", "<b>&"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(name, shown):
    assert visible(name) == shown


def test_long_names_lose_their_middle():
    shown = visible("x" * 100_000_000 + ".png", longest=40)
    assert len(shown) == 40 and shown.endswith("xx.png") and "..." in shown


@given(st.text(), st.integers(8, 60))
def test_one_line_of_limited_length_that_can_be_encoded(name, longest):
    shown = visible(name, longest=longest)
    assert len(shown) <= longest and shown.encode() is not None
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or "\u202a" <= c <= "\u202e"]
