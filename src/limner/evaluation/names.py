"""Names that come from files, made safe to show: no invisible marks, no turned reading order, no endless line."""

from __future__ import annotations

JOINERS = "\u200c\u200d"  # invisible, but needed to spell Persian and some Indian languages


def visible(name: str, *, longest: int = 90) -> str:
    r"""A name as one line of printable characters.

    Parameters
    ----------
    name : a class, a file, or any other text that comes from data.
    longest : characters that are kept, >= 8; of a longer name the middle is left out.

    Returns
    -------
    The name with control characters, marks that turn the reading order, and halves of surrogate pairs written as escapes,
    so that it can be encoded and does not change the text around it. It is not escaped for HTML or Markdown.

    Examples
    --------
    >>> visible("a\u202egnp.exe\n"), visible("x" * 30, longest=9)
    ('a\\u202egnp.exe\\u000a', 'xxxxx...x')
    """
    if len(name) > 2 * longest:  # what is cut anyway need not be looked at
        name = f"{name[:longest]}{name[-longest:]}"
    shown = "".join(c if c.isprintable() or c in JOINERS else f"\\u{ord(c):04x}" for c in name)
    if len(shown) <= longest:
        return shown
    end = (longest - 3) // 4
    return f"{shown[: longest - 3 - end]}...{shown[len(shown) - end :]}"
