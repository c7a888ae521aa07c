"""Puts the built page into wheel and source distribution, and refuses to make either without it.

The page is built from ``web/`` into ``src/limner/server/static``, which git does not keep. A wheel without it would install, start
and then answer ``/`` with instructions for developers; so it is an error here, where it can still be mended.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = "src/limner/server/static"
BUILD = "cd web && npm ci --ignore-scripts && npm run build"
WITHOUT = "LIMNER_WITHOUT_PAGE"


class PageHook(BuildHookInterface):
    """Found by hatchling through ``[tool.hatch.build.hooks.custom]``."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Check that the page is there and name its files, which git ignores.

        Parameters
        ----------
        version : "editable" for ``pip install -e``, which needs no page: the server then says how to build it.
        build_data : hatchling's; its ``artifacts`` are files to take although git ignores them.

        Raises
        ------
        SystemExit : the page is not built and nobody said that it should be left out.
        """
        if version == "editable" or os.environ.get(WITHOUT) == "1":
            return
        if not (Path(self.root) / STATIC / "index.html").is_file():
            raise SystemExit(
                f"error: the page of the server is not built; {STATIC}/index.html is expected\n"
                f"fix:   {BUILD}\n"
                f"       or, for a package without the page, set {WITHOUT}=1; an editable install (pip install -e) needs neither"
            )
        build_data["artifacts"].append(f"/{STATIC}/**")
