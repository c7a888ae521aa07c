"""What is unusual about a picture for the model that is asked, in words and in a header."""

from __future__ import annotations

import asyncio
import json

from limner.api.input_kind import strange
from limner.core.sample import Image
from limner.server.loaded import Loaded

LOOKED_AT = 2**22  # pixels of a large picture that are compared with those in training
HEADER = "X-Limner-Warnings"


async def unusual(image: Image, loaded: Loaded) -> list[str]:
    """One sentence for each way in which a picture ``(H, W, C)`` is unlike those in training; none where there was no training."""
    if loaded.bundle is None:
        return []
    height, width = image.shape[:2]
    step = max(1, int((height * width / LOOKED_AT) ** 0.5))
    return await asyncio.to_thread(strange, image[::step, ::step], loaded.bundle, size_hw=(height, width))


def header(warnings: list[str]) -> dict[str, str]:
    """The header for answers that have no place for warnings: a JSON list in ASCII."""
    return {HEADER: json.dumps(warnings)}
