"""The command as a shell sees it: sentences, one JSON document, exit codes."""

import json

import typer
from typer.testing import CliRunner

from limner.cli.compare import compare
from tests.api.test_compare import make_run

app = typer.Typer()
app.command()(compare)


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_sentences_tables_and_regressions(tmp_path):
    runs = [make_run(tmp_path / name, errors=e, noise_seed=i) for i, (name, e) in enumerate((("a", 0.1), ("b", 0.3)))]
    found = call(*runs, "--out", tmp_path / "out")
    assert found.exit_code == 0 and f"{runs[1]} is worse than {runs[0]} by" in found.stdout
    assert "95 % interval" in found.stdout and "worse: images/" in found.stdout and "hd95 macro" in found.stdout
    assert (tmp_path / "out/compare.html").is_file() and "compare.html" in found.stdout
    again = call(*runs, "--out", tmp_path / "out")
    assert again.exit_code == 1 and "--overwrite" in again.stderr
    assert call(*runs, "--out", tmp_path / "out", "--overwrite").exit_code == 0


def test_one_json_document(tmp_path):
    runs = [make_run(tmp_path / name, errors=0.2, noise_seed=i) for i, name in enumerate("ab")]
    found = json.loads(call(*runs, "--json", "--metric", "iou").stdout)
    assert found["metric"] == "iou" and found["comparisons"][0]["scores"]["iou"]["foreground"]["verdict"] == "noise"
    assert "smaller than the noise" in found["comparisons"][0]["sentence"] and len(found["models"]) == 2


def test_errors_name_what_differs(tmp_path):
    one, other = make_run(tmp_path / "a"), make_run(tmp_path / "b", test=range(3))
    found = call(one, other)
    assert found.exit_code == 1 and "error: " in found.stderr and "fix: " in found.stderr and not found.stdout
    assert call(one).exit_code == 2 and call(one, one).exit_code == 2 and call().exit_code == 2
