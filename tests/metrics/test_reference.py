"""The reference page keeps up with the code: its examples run, and it names every metric with its empty case."""

import doctest
import re
from pathlib import Path

import pytest

from limner.metrics.object_table import OBJECT_TABLE
from limner.metrics.table import TABLE

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_run(block):
    runner = doctest.DocTestRunner()
    example = doctest.DocTestParser().get_doctest(block, {}, "metrics.md", "metrics.md", 0)
    assert example.examples and runner.run(example).failed == 0


def test_every_metric_has_its_row():
    assert len(BLOCKS) == 3
    for name in TABLE:
        assert re.search(rf"^\| `{name}` \|", PAGE, re.M), name
    for name in OBJECT_TABLE:
        assert re.search(rf"^\| [^|]*`{name}`", PAGE, re.M), name


def test_eight_tools_stand_beside_ours():
    section = PAGE.partition("### What other tools answer")[2].partition("\n`limner evaluate --compat`")[0]
    assert len(re.findall(r"^\| [A-Za-z*]", section, re.M)) == 1 + 1 + 8  # the head, ours, theirs
