"""Commands as a person can paste them into a shell: paths with blanks, quotes or brackets are quoted."""

from __future__ import annotations

import shlex


def command_line(*words: object) -> str:
    """The words as one line of a shell.

    Parameters
    ----------
    words : the program, its arguments and options, each as one word; paths and numbers are converted to text. Placeholders in
        capitals stay as they are.

    Examples
    --------
    >>> command_line("limner", "train", "my cells", "--out", "NEW_FOLDER")
    "limner train 'my cells' --out NEW_FOLDER"
    """
    return shlex.join(map(str, words))
