"""What is printed to be pasted is read by a shell as it was meant."""

import shlex
from pathlib import Path

import pytest

from limner.core.command_line import command_line

UGLY = ["plain", "my cells", "it's", 'a"b', "50%[1]", "$HOME", "a;b", "tab\there", ""]


@pytest.mark.parametrize("name", UGLY)
def test_a_shell_reads_the_same_words(name):
    assert shlex.split(command_line("limner", "train", name, "--out", Path("x") / name, "--seed", 3)) == [
        "limner", "train", name, "--out", str(Path("x") / name), "--seed", "3",
    ]  # fmt: skip


def test_placeholders_are_not_quoted():
    assert (
        command_line("limner", "train", Path("cells"), "--out", "NEW_FOLDER") == "limner train cells --out NEW_FOLDER"
    )
