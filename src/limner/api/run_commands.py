"""What a run says to type: to go on with it, and to repeat it."""

from __future__ import annotations

from pathlib import Path

from limner.api.run_folder import RunFolder
from limner.core.command_line import command_line

LEAKS = "--allow-leaks"


def going_on(data: Path | str, folder: RunFolder, *, allow_leaks: bool) -> str:
    """The command that goes on with the run in `folder`; data that it was allowed to train on stay allowed."""
    return command_line("limner", "train", data, "--out", folder.path, "--resume", *([LEAKS] if allow_leaks else []))


def repeating(data: Path | str, folder: RunFolder, *, allow_leaks: bool) -> str:
    """The command that repeats the run in `folder` in another one."""
    leaks = [LEAKS] if allow_leaks else []
    return command_line("limner", "train", data, "--recipe", folder.recipe, "--out", "NEW_FOLDER", *leaks)
