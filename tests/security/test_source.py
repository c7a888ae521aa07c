"""Rows 7, 11, 12 and 15 as far as they can be read off the program itself: what is never called, and which flags always stand."""

import ast
from pathlib import Path

import pytest

import limner

ROOT = Path(limner.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py"))

# Flags without which a call would be another one; the value has to stand there as a constant.
FLAGS = {
    "torch.load": {"weights_only": True},
    "np.load": {"allow_pickle": False},
    "numpy.load": {"allow_pickle": False},
    "keras.saving.load_model": {"safe_mode": True, "compile": False},
    "keras.models.load_model": {"safe_mode": True, "compile": False},
}
# Calls that run what a file or a text says, unpack archives, or ask a shell.
NEVER = (
    "pickle.load", "pickle.loads", "dill.", "joblib.load", "marshal.", "shelve.", "torch.jit.", "torch.export.load",
    "torch.hub.", "torch.package", "yaml.load", "yaml.unsafe_load", "eval", "exec", "compile", "__import__",
    "os.system", "os.popen", "zipfile.", "tarfile.", "shutil.unpack_archive",
    "keras.config.enable_unsafe_deserialization", "importlib.import_module",
)  # fmt: skip
# Packages that fetch things; XML readers that obey documents.
NEVER_IMPORTED = (
    "requests", "httpx", "aiohttp", "urllib3", "urllib.request", "http.client", "ftplib", "smtplib", "webbrowser", "xml.sax",
    "xml.dom", "lxml", "zipfile", "tarfile", "pickle", "shelve", "marshal", "dill", "joblib", "sentry_sdk", "posthog",
)  # fmt: skip
# What a rule is not meant for, each with its reason.
_KERAS = "a .keras file is an archive: its table of contents and config.json are read, nothing is unpacked by name"
_TABLE = "names from a table of this package alone"
_OPTIONAL = "a package of an extra, by a name that stands in the call"
EXCEPTIONS = {
    (
        "batch/ray_predict.py",
        "cloudpickle.loads",
    ): "jobs and workers of this very call, between its own processes; never a file",
    ("runtimes/keras_file.py", "zipfile"): _KERAS,
    ("runtimes/keras_file.py", "zipfile.is_zipfile"): _KERAS,
    ("runtimes/keras_file.py", "zipfile.ZipFile"): _KERAS,
    ("runtimes/parity.py", "zipfile"): "the error that NumPy raises for a damaged NPZ",
    ("__init__.py", "importlib.import_module"): _TABLE,
    ("data/stacks.py", "importlib.import_module"): _TABLE,
    ("data/windows_zarr.py", "importlib.import_module"): _TABLE,
    ("losses/query_masks.py", "importlib.import_module"): _OPTIONAL,
    ("models/query_package.py", "importlib.import_module"): _OPTIONAL,
    ("models/query_weights.py", "importlib.import_module"): _OPTIONAL,
    ("inference/unfinished_objects.py", "zipfile"): "the error that NumPy raises for a damaged NPZ",
    ("inference/unfinished_objects.py", "zipfile.BadZipFile"): "the error that NumPy raises for a damaged NPZ",
}


def calls(tree):
    """``(dotted name, keywords, line)`` of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {keyword.arg: keyword.value for keyword in node.keywords}, node.lineno


def imported(tree):
    """Modules that a file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or "", node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def findings(source):
    """What breaks a rule in a program text."""
    tree = ast.parse(source)
    for name, keywords, line in calls(tree):
        for flag, value in FLAGS.get(name, {}).items():
            given = keywords.get(flag)
            if not (isinstance(given, ast.Constant) and given.value is value):
                yield name, f"line {line}: {name} without {flag}={value}"
        if any(name == bad or (bad.endswith(".") and name.startswith(bad)) for bad in NEVER) or name.endswith(
            "pickle.loads"
        ):
            yield name, f"line {line}: {name} is called"
        if "allow_pickle" in keywords and not (
            isinstance(keywords["allow_pickle"], ast.Constant) and keywords["allow_pickle"].value is False
        ):
            yield name, f"line {line}: allow_pickle is not False"
        if "shell" in keywords:
            yield name, f"line {line}: a shell is asked"
    for name, line in imported(tree):
        if any(name == bad or name.startswith(f"{bad}.") for bad in NEVER_IMPORTED):
            yield name, f"line {line}: {name} is imported"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_breaks_a_rule(path):
    place = path.relative_to(ROOT).as_posix()
    found = [words for name, words in findings(path.read_text(encoding="utf-8")) if (place, name) not in EXCEPTIONS]
    assert not found


def test_every_exception_is_still_needed():
    for place, name in EXCEPTIONS:
        assert any(found == name for found, _ in findings((ROOT / place).read_text(encoding="utf-8"))), (place, name)


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "torch.load(f, weights_only=flag)",
        "np.load(f)",
        "np.load(f, allow_pickle=True)",
        "keras.saving.load_model(f)",
        "pickle.load(f)",
        "import pickle",
        "from urllib.request import urlopen",
        "eval('1')",
        "subprocess.run(x, shell=True)",
        "import zipfile",
        "torch.jit.load(f)",
        "yaml.load(f)",
        "cloudpickle.loads(x)",
        "import xml.sax",
    ],
)
def test_the_rules_find_what_they_are_for(source):
    assert list(findings(source))


def test_xml_of_others_is_parsed_in_one_place():
    readers, trees = set(), set()
    parsing = {"fromstring", "iterparse", "ElementTree.fromstring", "ElementTree.parse", "ElementTree.iterparse"}
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        if "ParserCreate" in text:
            readers.add(path.name)
        if parsing & {name for name, *_ in calls(ast.parse(text))}:
            trees.add(path.name)
    assert readers == {"safe_xml.py"}
    assert trees <= {"labelme_xml_write.py"}  # records that the safe reader has written out itself


def test_tokens_are_compared_in_constant_time():
    tree = ast.parse((ROOT / "server/token.py").read_text(encoding="utf-8"))
    secret = ("_token", "_start", "token", "session", "cookie", "shown")
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
            sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
            assert not any(side.split(".")[-1] in secret for side in sides), sides
    assert any(name == "hmac.compare_digest" for name, *_ in calls(tree))


def test_built_pages_and_templates_ask_no_other_host():
    pages = [*ROOT.rglob("*.html"), *ROOT.rglob("*.css")]
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for sign in ('src="http', "src='http", 'href="http', "url(http", "@import", "//cdn", "fonts.g"):
            assert sign not in text, (page.name, sign)
