"""Rules that no single file can keep: what is imported, exported, named, and how long things are."""

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

import limner
from limner.cli import app

SOURCE = Path(limner.__file__).parent
ROOT = Path(__file__).parents[2]
FILES = sorted(SOURCE.rglob("*.py"))
HEAVY = ["torch", "torchvision", "timm", "cv2", "matplotlib", "PIL", "numpy", "tifffile", "lightning_fabric", "jinja2"]
VERBS = [name for name in limner.__all__ if name.islower() and not name.startswith("_")]
COMMANDS = {name.replace("-", "_"): command for name, command in typer.main.get_command(app).commands.items()}
COMMAND_LINE_ONLY = {"as_json", "debug"}
INTERFACE_ONLY = {"listener"}


def loaded_after(statement):
    """Heavy modules that stand in ``sys.modules`` of a new process after `statement`."""
    code = f"import sys, json; {statement}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    return json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def test_nothing_heavy_is_imported_before_a_verb_is_used():
    assert loaded_after("import limner, limner.cli") == []


def test_naming_verbs_imports_no_network_library():
    found = loaded_after(f"import limner; [getattr(limner, verb) for verb in {VERBS}]")
    assert not {"torch", "timm", "lightning_fabric", "torchvision"} & set(found)


def test_exported_names_are_there_and_listed():
    assert len(set(limner.__all__)) == len(limner.__all__)
    for name in limner.__all__:
        assert getattr(limner, name) is not None
    assert set(COMMANDS) == set(VERBS)
    assert {p.stem for p in (SOURCE / "cli").glob("*.py")} - {"__init__", "show"} == set(COMMANDS)


@pytest.mark.parametrize("verb", VERBS)
def test_options_are_named_as_arguments(verb):
    command = {parameter.name for parameter in COMMANDS[verb].params} - COMMAND_LINE_ONLY - {"help"}
    function = set(inspect.signature(getattr(limner, verb)).parameters) - INTERFACE_ONLY
    assert command == function


@pytest.mark.parametrize("verb", VERBS)
def test_defaults_are_the_same(verb):
    signature = inspect.signature(getattr(limner, verb)).parameters
    for parameter in COMMANDS[verb].params:
        if parameter.name in signature and not parameter.required:
            default, ours = signature[parameter.name].default, parameter.default
            ours = ours() if callable(ours) else ours
            assert (str(ours) if ours else None) == (str(default) if default else None), parameter.name


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_and_commands_are_documented(verb):
    function = getattr(limner, verb)
    text = inspect.getdoc(function)
    assert text and len(text.splitlines()[0]) > 20
    for name in set(inspect.signature(function).parameters) - {"listener", "overwrite"}:
        assert re.search(rf"\b{name}\b", text.split("\n", 1)[1]), f"{verb} does not document {name}"
    assert COMMANDS[verb].help
    assert all(getattr(p, "help", None) for p in COMMANDS[verb].params if p.name != "help")


@pytest.mark.parametrize("verb", VERBS)
def test_everything_behind_the_subject_is_named(verb):
    kinds = [p.kind for p in inspect.signature(getattr(limner, verb)).parameters.values()]
    assert all(kind is inspect.Parameter.KEYWORD_ONLY for kind in kinds[2:])


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(SOURCE).as_posix())
def test_files_and_functions_are_short_and_say_what_they_are(file):
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(tree), "a module opens with one sentence"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1].lineno if ast.get_docstring(node) and len(node.body) > 1 else node.lineno
            length = (node.end_lineno or node.lineno) - first + 1
            above = text.splitlines()[node.lineno - 2] if node.lineno > 1 else ""
            assert length <= 60 or "long because" in above, f"{node.name} has {length} lines"
            if not node.name.startswith("_") and node.col_offset == 0:
                assert ast.get_docstring(node), f"{node.name} has no docstring"
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def test_files_are_named_after_their_idea():
    assert not {"utils", "helpers", "common", "base", "misc"} & {file.stem for file in FILES}


def test_no_pickle_and_no_printing_below_the_command_line():
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert "pickle" not in names, file
        assert "print" not in calls or file.parent.name == "cli", file


def readme_blocks():
    text = (ROOT / "README.md").read_text(encoding="utf-8") if (ROOT / "README.md").is_file() else ""
    return re.findall(r"```python\n(.*?)```", text, re.S)


@pytest.mark.parametrize(
    "block", readme_blocks() or [pytest.param("", marks=pytest.mark.skip(reason="no Python in README.md"))]
)
def test_python_in_the_readme_names_things_that_exist(block):
    tree = ast.parse(block)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "limner":
            assert node.attr in limner.__all__
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in VERBS:
            accepted = inspect.signature(getattr(limner, node.func.attr)).parameters
            assert {keyword.arg for keyword in node.keywords} <= set(accepted)


def test_every_key_of_the_recipe_is_documented_with_its_default():
    """The tables of the reference and the schema hold the same keys in the same order, with the same defaults."""
    section, listed = "", {}
    for line in (ROOT / "docs" / "reference" / "recipe.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line.strip("# []")
        elif match := re.match(r"\| `(\w+)` \| `(.*?)` \|", line):
            listed[match[1] if section.startswith("Top") else f"{section}.{match[1]}"] = match[2]
    recipe = limner.Recipe()
    assert list(listed) == [key for key, _ in recipe.items()]
    written, section = {}, ""
    for line in recipe.to_toml().splitlines():
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif " = " in line:
            name, _, value = line.partition(" = ")
            written[section + name] = value
    assert listed == written


def test_a_verb_stays_callable_after_the_package_of_its_name_was_imported():
    code = "import limner, limner.models.cost; import limner.demo; assert callable(limner.models) and callable(limner.demo)"
    subprocess.run([sys.executable, "-c", code], check=True)
