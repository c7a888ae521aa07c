"""The topics of `Bundle.answers`: what a model learnt about its own answers when its training ended.

``postprocess`` holds rules for labels, with the scores before and after (`limner.core.postprocess.read_rules`); ``confidence``
leads from the expected Dice of a picture to the Dice to expect (`limner.api.confidence`); ``inputs`` says what training pictures
look like (`limner.api.learn_inputs`, `limner.api.input_kind`). Each may be absent.
"""

from __future__ import annotations

POSTPROCESS = "postprocess"
CONFIDENCE = "confidence"
INPUTS = "inputs"
