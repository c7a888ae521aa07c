"""Row 5: looking changes nothing."""

import hashlib
import json

import pytest

from tests.security.served import serve
from tests.security.test_token import routes


def state(*folders):
    """Every file below some folders: name, size, time and content."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                found[str(path)] = (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
            else:
                found[str(path)] = None
    return found


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A server whose home, temporary folder and working folder we can watch."""
    root = tmp_path_factory.mktemp("watched")
    for name in ("home", "tmp", "work"):
        (root / name).mkdir()
    environment = {"HOME": str(root / "home"), "TMPDIR": str(root / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    with serve("otsu", environment=environment, folder=root / "work") as server:
        yield server, root


def looks(server):
    """The routes that only look."""
    return [path for method, path in routes(server) if method == "GET"]


def test_no_look_changes_a_file_or_a_model(watched):
    server, root = watched
    models = server.ask("GET", "/v1/models").json()
    before = state(root)
    for path in looks(server):
        for method in ("GET", "HEAD", "OPTIONS"):
            for query in ("", "?model=otsu&output=json&reload=1&delete=1&token=x"):
                assert server.ask(method, path + query).status_code < 500, (method, path)
    assert state(root) == before
    assert server.ask("GET", "/v1/models").json() == models


def test_what_changes_something_is_no_look(watched):
    server, _ = watched
    document = server.ask("GET", "/openapi.json").json()
    for path, methods in document["paths"].items():
        if any(word in path for word in ("reload", "predict", "infer", "/hf/")):
            assert set(methods) == {"post"}, path
            answer = server.ask("GET", path.replace("{model}", "otsu").replace("{version}", "x"))
            assert answer.status_code == 405 and "post" in answer.headers.get("allow", "post").lower()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"])
def test_other_methods_are_refused(watched, method):
    server, _ = watched
    for path in ("/", "/v1/models", "/v1/models/otsu", "/v1/predict", "/docs", "/metrics"):
        assert server.ask(method, path).status_code in (400, 404, 405), path


def test_predicting_leaves_no_file_behind(watched):
    from tests.security.attacks import good

    server, root = watched
    server.ask("POST", "/v1/predict", content=good(), headers={"Content-Type": "image/png"})
    before = {name for name, content in state(root).items() if content is not None}
    for data in (good("TIFF"), good("JPEG"), b"\x89PNG\r\n\x1a\nbroken"):
        server.ask("POST", "/v1/predict", content=data, headers={"Content-Type": "image/png"})
    assert {name for name, content in state(root).items() if content is not None} == before


def test_the_document_of_the_routes_is_walked_with_made_up_values(watched):
    """What schemathesis makes up for every look: no answer of 500 or more, none that its schema does not know."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    server, root = watched
    document = json.loads(json.dumps(server.ask("GET", "/openapi.json").json()))
    schema = schemathesis.openapi.from_dict(document)
    before = state(root)
    operations = [result.ok() for result in schema.get_all_operations() if result.ok().method.upper() == "GET"]
    assert len(operations) >= 8
    strategy = st.one_of(*(operation.as_strategy() for operation in operations))

    @given(strategy)
    @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def walk(case):
        answer = case.call(base_url=server.url)
        assert answer.status_code < 500, case.path

    walk()
    assert state(root) == before
