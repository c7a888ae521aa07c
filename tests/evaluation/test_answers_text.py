"""What a bundle says of its rules, its confidence and its exports; and that its card says it, too."""

import dataclasses

from limner.core.postprocess import Rules
from limner.evaluation.answers_text import confidence_sentences, export_sentences, rules_sentences
from limner.evaluation.model_card import model_card
from tests.evaluation.pages import SPACE, make_page
from tests.evaluation.test_model_card import make_bundle

CHOSEN = {
    "rules": Rules((0, 25), (0, 0), (False, False), 0.35).as_dict(), "pictures": 9, "margin": 0.002, "reason": "it held",
    "before": {"background": {"mean": 0.9, "pooled": 0.9}, "nucleus": {"mean": 0.7123, "pooled": 0.7}},
    "after": {"background": {"mean": 0.91, "pooled": 0.9}, "nucleus": {"mean": 0.7441, "pooled": 0.8}},
}  # fmt: skip
CONFIDENCE = {
    "kind": "shift", "x": [0.0, 1.0], "y": [-0.1, 0.9], "pictures": 9, "from": "validation", "error": 0.0312,
    "plain_error": 0.1, "constant_error": 0.0555,
}  # fmt: skip
EXPORTS = {
    "onnx": {"files": ["model.onnx"], "max_abs_logit_difference": 2.4e-6},
    "openvino-int8": {"files": ["openvino-int8/model.xml"]},
}


def test_each_of_them_is_one_sentence_and_stands_on_the_card(tmp_path):
    bundle = make_bundle(tmp_path)
    told = dataclasses.replace(bundle, answers={"postprocess": CHOSEN, "confidence": CONFIDENCE}, exports=EXPORTS)
    (rules,), (sure,), (exports,) = rules_sentences(told), confidence_sentences(told), export_sentences(told)
    assert "nucleus where the score is above 0.35; parts of nucleus below 25 pixels are taken away" in rules
    assert rules.endswith("before and after: nucleus 0.712 to 0.744.")
    assert "was 0.031 away" in sure and "9 validation pictures" in sure and "of the others: 0.056" in sure
    assert exports == "Exported for onnx (largest difference of a logit 2e-06), openvino-int8."
    card = model_card(told, make_page())
    for sentence in (rules, sure, exports):
        assert f"- {sentence}" in card.replace("\\", "")


def test_a_bundle_that_learnt_nothing_says_nothing_and_rules_in_vain_are_named(tmp_path):
    bundle = make_bundle(tmp_path)
    assert rules_sentences(bundle) == confidence_sentences(bundle) == export_sentences(bundle) == []
    assert "Exported" not in model_card(bundle, None) and SPACE.names[1] in model_card(bundle, None)
    vain = dataclasses.replace(bundle, answers={"postprocess": {**CHOSEN, "rules": None, "reason": "too few pictures"}})
    assert rules_sentences(vain) == ["Rules for the labels were asked for, and none is used: too few pictures."]


def test_the_threshold_among_the_rules_is_that_of_calibrated_scores(tmp_path):
    bundle = make_bundle(tmp_path)
    contract = dataclasses.replace(bundle.contract, temperature=2.0)
    (rules,) = rules_sentences(dataclasses.replace(bundle, contract=contract, answers={"postprocess": CHOSEN}))
    assert "where the score is above 0.423232" in rules  # 1 / (1 + (0.65 / 0.35) ** 0.5)
    assert "a picture without the class counts as 1" in rules  # other than in the scores of the report
