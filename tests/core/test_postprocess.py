"""Rules as values: what is refused, what they say, and that a bundle gives them back."""

import json

import pytest

from limner.core.answers import POSTPROCESS
from limner.core.errors import BundleError
from limner.core.postprocess import Rules, no_rules, read_rules

RULES = Rules((0, 12, 0), (0, 0, 7), (False, True, False), None)


def test_a_bundle_gives_back_what_was_put_in():
    for rules in (RULES, Rules((0, 0), (0, 0), (False, False), 0.35)):
        answers = json.loads(json.dumps({POSTPROCESS: {"rules": rules.as_dict(), "pictures": 9}}))
        assert read_rules(answers) == rules
    assert read_rules({}) is None and read_rules({POSTPROCESS: {"rules": None, "reason": "few"}}) is None


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"rules": {}},
        {"rules": {**RULES.as_dict(), "smallest": [0, 12]}},
        {"rules": {**RULES.as_dict(), "holes": [3, 0, 0]}},
        {"rules": {**RULES.as_dict(), "smallest": [0, -1, 0]}},
        {"rules": {**RULES.as_dict(), "threshold": "half"}},
        [1],
    ],
)
def test_what_cannot_be_understood_is_refused(broken):
    with pytest.raises(BundleError) as caught:
        read_rules({POSTPROCESS: broken})
    assert caught.value.where == "bundle.json"


def test_rules_say_what_they_do():
    words = RULES.sentences(("background", "cell", "wall"))
    assert words == [
        "of cell only the largest part stays",
        "parts of cell below 12 pixels are taken away",
        "holes in wall of at most 7 pixels are filled",
    ]
    assert RULES.change_labels and not no_rules(3).change_labels
    assert not Rules(
        (0, 0), (0, 0), (False, False), 0.4
    ).change_labels  # the threshold is obeyed before there are labels
