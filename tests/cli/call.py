"""Call a command in this process and look at what a shell would see."""

import json
from dataclasses import dataclass

from typer.testing import CliRunner

from limner.cli import app


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def document(self):
        """The one JSON document on stdout."""
        return json.loads(self.out)


def limner(*arguments):
    """Exit code and streams of a command; a bug (any exception but an exit) is raised."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def refused(outcome, *, code=1):
    """The paragraph of an error, after checking its manners: exit code, known lines at the end, no traceback."""
    assert outcome.code == code, outcome.out + outcome.err
    assert "Traceback" not in outcome.out + outcome.err
    lines = outcome.err.rstrip("\n").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    assert len(starts) == 1, outcome.err
    paragraph = lines[starts[0] :]
    assert [line.partition(":")[0] for line in paragraph] in (
        ["error", "where", "fix"], ["error", "fix"], ["error", "where"],
    ), outcome.err  # fmt: skip
    assert all(line.partition(": ")[2].strip() for line in paragraph), "a line without words"
    return "\n".join(paragraph)
