"""A terminal that cannot show a letter must not end a command."""

import os
import subprocess
import sys

import pytest

from tests.make_data import labels, picture, save


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_names_that_the_terminal_lacks(tmp_path, encoding):
    save(tmp_path / "images/\N{GREEK SMALL LETTER OMEGA}.png", picture(0, (16, 20)))
    save(tmp_path / "images/a.png", picture(1, (16, 20)))
    save(tmp_path / "masks/a.png", labels(1, (16, 20)))
    call = [sys.executable, "-m", "limner", "check", str(tmp_path)]
    done = subprocess.run(call, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}, timeout=120)
    assert done.returncode == 1 and b"Traceback" not in done.stderr, done.stderr
    assert b"\\u03c9.png" in done.stdout + done.stderr
