"""The Dockerfile without a Docker engine: read line by line, its commands looked up, its health check run."""

import http.server
import json
import re
import subprocess
import sys
import threading
from fnmatch import fnmatch
from pathlib import Path

import pytest
import typer.main

from limner.cli import app

ROOT = Path(__file__).resolve().parents[2]


def instructions():
    """``(word, rest)`` of each instruction; continued lines are joined, comments dropped."""
    text = "\n".join(
        line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    )
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def stages():
    """Instructions of each stage by its name; the last, which has none, under ``""``."""
    found = {}
    for word, rest in instructions():
        if word == "FROM":
            name = rest.partition(" AS ")[2]
            found[name] = []
        if found:
            found[name].append((word, rest))
    return found


def copies(stage):
    """Options, sources and target of each COPY."""
    for word, rest in stages()[stage]:
        if word == "COPY":
            words = rest.split()
            options = dict(w.removeprefix("--").split("=") for w in words if w.startswith("--"))
            paths = [w for w in words if not w.startswith("--")]
            yield options, paths[:-1], paths[-1]


def test_there_are_stages_and_the_last_one_builds_nothing():
    assert list(stages()) == ["page", "install", ""]
    assert {word for word, _ in stages()[""]} == {
        "FROM", "COPY", "ENV", "USER", "WORKDIR", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT",
    }  # fmt: skip
    assert [options for options, _, _ in copies("")] == [{"from": "install"}]


def test_it_does_not_run_as_root():
    users = [rest for word, rest in stages()[""] if word == "USER"]
    assert users and all(re.fullmatch(r"[1-9]\d+:[1-9]\d+", user) for user in users)


def test_nothing_is_fetched_but_locked_packages():
    words = [word for word, _ in instructions()]
    assert "ADD" not in words
    for word, rest in instructions():
        if word == "RUN":
            assert not re.search(r"curl|wget|apt-get|apk |https?:|git ", rest)
            for call in re.split(r"&&", rest):
                if "pip install" in call and "--no-deps" not in call:
                    assert "--require-hashes" in call and "--only-binary=:all:" in call
                if "npm" in call and "run" not in call:
                    assert "npm ci --ignore-scripts" in call


def test_no_secret_is_built_in():
    for word, rest in instructions():
        if word in ("ARG", "ENV"):
            assert not re.search(r"token|secret|password|key", rest, re.I)


@pytest.mark.parametrize("stage", ["page", "install", ""])
def test_what_is_copied_exists_and_reaches_the_builder(stage):
    ignored = [
        line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line and line[0] != "#"
    ]
    assert ignored[0] == "*"
    earlier = list(stages())[: list(stages()).index(stage)]
    for options, sources, _ in copies(stage):
        if "from" in options:
            assert options["from"] in earlier
            continue
        for source in sources:
            assert (ROOT / source).exists(), source
            kept = True
            for line in ignored:
                pattern = line.lstrip("!")
                parts = source.rstrip("/").split("/")
                if any(fnmatch("/".join(parts[: i + 1]), pattern) for i in range(len(parts))):
                    kept = line.startswith("!")
            assert kept, f"{source} is kept from the builder by .dockerignore"


def test_the_page_goes_where_the_server_looks_for_it():
    (found,) = [(sources, target) for options, sources, target in copies("install") if "from" in options]
    config = (ROOT / "web" / "vite.config.ts").read_text(encoding="utf-8")
    assert found == (["/build/src/limner/server/static/"], "src/limner/server/static/")
    assert 'outDir: "../src/limner/server/static"' in config
    assert ("WORKDIR", "/build/web") in stages()["page"]


def test_it_starts_the_server_with_options_that_exist():
    (text,) = [rest for word, rest in stages()[""] if word == "ENTRYPOINT"]
    program, command, *rest = json.loads(text)
    assert (program, command) == ("limner", "serve")
    known = {option for p in typer.main.get_command(app).commands["serve"].params for option in p.opts}
    assert {word for word in rest if word.startswith("--")} <= known
    values = dict(zip(rest[1::2], rest[2::2], strict=True))
    assert values["--token"].startswith("file:")
    assert ("EXPOSE", values["--port"]) in stages()[""]


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (None, False)])
def test_the_health_check_by_running_it(status, healthy):
    (rest,) = [rest for word, rest in stages()[""] if word == "HEALTHCHECK"]
    program, flag, code = json.loads(rest.partition("CMD ")[2])
    assert (program, flag) == ("python", "-c") and "/readyz" in code

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        if status:
            thread.start()
        else:
            server.server_close()
        done = subprocess.run([sys.executable, "-c", code.replace("8000", str(port))], capture_output=True, check=False)
        if status:
            server.shutdown()
            thread.join()
    assert (done.returncode == 0) is healthy


def test_both_images_can_be_pinned_by_digest():
    arguments = dict(rest.split("=") for word, rest in instructions() if word == "ARG")
    assert set(arguments) == {"PYTHON_IMAGE", "NODE_IMAGE"}
    assert all(re.fullmatch(r"(python|node):[\d.]+-slim", image) for image in arguments.values())
    bases = [rest.partition(" AS ")[0] for word, rest in instructions() if word == "FROM"]
    assert bases == ["${NODE_IMAGE}", "${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]
