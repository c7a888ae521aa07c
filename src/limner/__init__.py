"""Limner: from a folder of pictures and masks to a segmentation model you can trust.

Every verb is a function here with the same name and arguments as on the command line; nothing heavy is imported before
a verb is used.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limner.api.check import check
    from limner.api.compare import compare
    from limner.api.convert import convert
    from limner.api.demo import demo
    from limner.api.evaluate import evaluate
    from limner.api.export import export
    from limner.api.import_keras import import_keras
    from limner.api.info import info
    from limner.api.models import models
    from limner.api.plan import plan
    from limner.api.predict import predict
    from limner.api.train import train
    from limner.core.annotation import Annotation
    from limner.core.bundle import Bundle
    from limner.core.labels import LabelSpace
    from limner.core.prediction import Prediction
    from limner.core.recipe import Recipe
    from limner.core.report import Report
    from limner.core.sample import Sample
    from limner.server.serve import serve

__version__ = "0.1.0.dev0"

_VERBS = (
    "check",
    "compare",
    "convert",
    "demo",
    "evaluate",
    "export",
    "import_keras",
    "info",
    "models",
    "plan",
    "predict",
    "serve",
    "train",
)
_ABOVE = {"serve": "limner.server.serve"}  # verbs of the layer above limner.api
_NOUNS = {
    "Annotation": "annotation",
    "Bundle": "bundle",
    "LabelSpace": "labels",
    "Prediction": "prediction",
    "Recipe": "recipe",
    "Report": "report",
    "Sample": "sample",
}

__all__ = [
    "Annotation",
    "Bundle",
    "LabelSpace",
    "Prediction",
    "Recipe",
    "Report",
    "Sample",
    "__version__",
    "check",
    "compare",
    "convert",
    "demo",
    "evaluate",
    "export",
    "import_keras",
    "info",
    "models",
    "plan",
    "predict",
    "serve",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(importlib.import_module(_ABOVE.get(name, f"limner.api.{name}")), name)
    if name in _NOUNS:
        return getattr(importlib.import_module(f"limner.core.{_NOUNS[name]}"), name)
    raise AttributeError(f"module 'limner' has no attribute '{name}'")


class _Package(types.ModuleType):
    """A verb wins over the package of the same name (`models`, `demo`), which importing would put in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _VERBS and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
