"""Names that may be one class, and names that are not."""

import random
import string

import pytest

from limner.data.formats.classes import spelling_groups


def groups(*names):
    return [set(group) for group, _ in spelling_groups(names)]


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ("Right", "Right ", "spaces"),
        ("Butterfly", "butterfly", "case"),
        (" cat", "Cat", "case"),
        ("blue  car", "blue car", "spaces"),
        ("cat", "ca\u200bt", "invisible"),
        ("caf\u00e9", "cafe\u0301", "invisible"),
        ("Cat", "Cats", "plural"),
        ("berry", "berries", "plural"),
        ("box", "boxes", "plural"),
        ("cel", "cell", "letter"),
        ("cell", "cel", "letter"),
        ("house", "hause", "letter"),
        ("bird", "brid", "letter"),
        ("head lamp", "headlamp", "letter"),
        ("front_bumper", "front_bumpr", "letter"),
    ],
)
def test_names_that_are_probably_one(one, other, reason):
    ((found, words),) = spelling_groups([one, "something else", other])
    assert set(found) == {one, other} and reason in words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C1", "C2"),
        ("cat", "car"),
        ("class_1", "class_2"),
        ("1000TAKA", "100TAKA"),
        ("grade a", "grade b"),
        ("grade_A", "grade_AB"),
        ("male", "female"),
        ("left", "right"),
        ("", "a"),
        ("is", "i"),
        ("leaf", "stem"),
    ],
)
def test_names_that_are_two(one, other):
    assert not spelling_groups([one, other])


def test_several_at_once_in_the_order_of_the_names():
    found = spelling_groups(["Cat", "dog", "cat ", "cats", "Dog", "dog"])
    assert [set(group) for group, _ in found] == [{"Cat", "cat "}, {"dog", "Dog"}, {"Cat", "cat ", "cats"}]
    assert "upper and lower case" in found[0][1] and "spaces" in found[0][1]


def test_one_name_or_none_is_no_group():
    assert groups() == groups("a") == groups("a", "a") == []


def test_a_family_of_names_is_no_slip():
    assert not groups(*(f"stage{letter}{letter}" for letter in string.ascii_lowercase))
    assert not groups(*(f"zone{letter}" for letter in string.ascii_lowercase))


def test_many_and_long_names_take_no_long_time():
    drawn = random.Random(3)
    names = ["".join(drawn.choices(string.ascii_lowercase, k=12)) for _ in range(5000)] + [
        "x" * 10**6,
        "x" * 10**6 + "y",
    ]
    assert groups(*names, "reservoir", "reservior") == [{"reservoir", "reservior"}]
