"""Modules that are named in a text, where import-linter does not look, exist, and lie no higher than who names them.

A text is a name when the whole of it is one: `reluatlas.paths.trace:trace`, `reluatlas.figures.film.video`. So are
those in backquotes in docstrings and pages.
"""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

import reluatlas

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "reluatlas"
PROJECT = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))

NAME = re.compile(r"reluatlas(?:\.\w+)+(?::\w+)?")
SAID = re.compile(r"`(reluatlas(?:\.\w+)+)")
BY_NAME = {"import_module", "__import__", "find_spec", "spec_from_file_location"}
COMPUTED = {
    ("reluatlas", "import_module"),  # names of the package, by a table that is checked here
    ("reluatlas.analysis", "import_module"),  # so are these
    ("reluatlas._moved", "import_module"),  # `tests/unit/test_moved.py`
    ("reluatlas.cli.models", "import_module"),  # what users name
    ("reluatlas.cli.models", "spec_from_file_location"),
    ("reluatlas.live.server", "find_spec"),  # what the extra `view` brings
    ("reluatlas.live.widget", "find_spec"),  # what the extra `notebook` brings
}


def sources() -> dict[str, str]:
    """Return the text of each module of the package, by its name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


SOURCES = sources()
TREES = {module: ast.parse(text) for module, text in SOURCES.items()}


def names_in(tree: ast.AST) -> list[str]:
    """Return the texts in a file that are names of modules, or of what is in them."""
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [value for value in values if isinstance(value, str) and NAME.fullmatch(value)]


def computed_in(tree: ast.AST) -> set[str]:
    """Return the functions that a file calls to import what is not named by a text alone."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            what = node.args[0] if node.args else None
            if name in BY_NAME and not (isinstance(what, ast.Constant) and NAME.fullmatch(str(what.value))):
                found.add(name)
    return found


SHOWN_BY = {
    ("reluatlas.complexes.complex", "reluatlas.atlas.page"),
    ("reluatlas.complexes.complex", "reluatlas.live.widget"),
}
"""Methods by which an object shows itself, as users look for them on it; what draws stands above, and is named."""


def home_of(name: str) -> str:
    """Return the module of a dotted name: as much of it as is one."""
    parts = name.partition(":")[0].split(".")
    return next(home for n in range(len(parts), 0, -1) if (home := ".".join(parts[:n])) in SOURCES)


def problem_of(name: str) -> str:
    """Return what is wrong with a name; nothing, when there is such a module, and in it what is named."""
    home, (path, _, attribute) = home_of(name), name.partition(":")
    if attribute and home != path:
        return f"there is no module `{path}`"
    thing = import_module(home)
    for part in [attribute] if attribute else path.removeprefix(home).split(".")[1:]:
        if not hasattr(thing, part):
            return f"`{home}` has no `{part}`"
        thing = getattr(thing, part)
    return ""


def points_up(importer: str, imported: str) -> bool:
    """Return whether a module names another that it must not import, by the layers of `pyproject.toml`."""
    layers = next(c["layers"] for c in PROJECT["tool"]["importlinter"]["contracts"] if c["id"] == "layers")
    floors = {room.strip(" ()"): floor for floor, layer in enumerate(layers) for room in layer.split("|")}
    here, there = ([*module.split("."), ""][1] for module in (importer, imported))
    # the root lies above all: it may name everything, and its names are asked for by users
    return here != there and here in floors and there in floors and floors[there] <= floors[here]


def test_modules_that_are_named_exist_and_lie_below():
    named = [(module, name) for module, tree in TREES.items() for name in names_in(tree)]
    assert len(named) > 20
    assert not {place: problem for place in named if (problem := problem_of(place[1]))}
    assert {(module, name) for module, name in named if points_up(module, home_of(name))} == SHOWN_BY


def test_nothing_else_is_imported_by_name():
    assert {(module, call) for module, tree in TREES.items() for call in computed_in(tree)} == COMPUTED


@pytest.mark.parametrize("package", [reluatlas, reluatlas.analysis], ids=lambda package: package.__name__)
def test_the_table_of_lazy_names_is_the_imports_for_types(package):
    """What a type checker sees of a package is what is imported when it is first used, and all of it is public."""
    guarded = next(node for node in TREES[package.__name__].body if isinstance(node, ast.If))
    assert ast.unparse(guarded.test) == "TYPE_CHECKING"
    typed = {}
    for node in guarded.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            as_module = f"{node.module}.{alias.name}"
            typed[alias.asname or alias.name] = as_module if as_module in SOURCES else f"{node.module}:{alias.name}"
    assert typed == package._HOME_OF_LAZY_NAME
    assert set(typed) <= set(package.__all__) and len(set(package.__all__)) == len(package.__all__)
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


def test_every_public_name_is_in_the_file_that_checks_types():
    """`make types` reads it; what it does not name could have any type."""
    tree = ast.parse(ROOT.joinpath("typing_tests", "public_names.py").read_text(encoding="utf-8"))
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for place in (reluatlas, reluatlas.analysis, reluatlas.certify, reluatlas.testing):
        name = place.__name__.replace("reluatlas", "ra")
        assert [known for known in place.__all__ if f"{name}.{known}" not in used] == []


def test_commands_begin_where_the_project_says():
    assert PROJECT["project"]["scripts"] == {"reluatlas": "reluatlas.cli.main:main"}
    assert problem_of("reluatlas.cli.main:main") == ""


def test_modules_that_run_in_another_process_have_a_beginning():
    run = []
    for tree in TREES.values():
        for node in ast.walk(tree):
            words = [getattr(word, "value", None) for word in node.elts] if isinstance(node, ast.List) else []
            run += [name for flag, name in pairwise(words) if flag == "-m"]
    assert run and [name for name in run if 'if __name__ == "__main__":' not in SOURCES[name]] == []


def test_names_in_docstrings_and_pages_exist():
    pages = [*ROOT.joinpath("docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    texts = SOURCES | {page.name: page.read_text(encoding="utf-8") for page in pages}
    said = {(where, name) for where, text in texts.items() for name in SAID.findall(text)}
    assert len(said) > 20
    assert not {place: problem for place in said if (problem := problem_of(place[1]))}


def test_names_that_are_wrong_are_found():
    """Each fault, planted; and beside it what is none."""
    told = 'import_module("reluatlas.paths.trace")\nf("see reluatlas.cells", "reluatlas.", "reluatlas-demo")'
    assert names_in(ast.parse(told)) == ["reluatlas.paths.trace"] and computed_in(ast.parse(told)) == set()
    for call in ('import_module(f"reluatlas.{x}")', 'importlib.import_module("." + y, "reluatlas")', "__import__(z)"):
        assert computed_in(ast.parse(call)), call
    module = "reluatlas.paths.trace"
    for name in (module, f"{module}:trace", f"{module}.trace", "reluatlas.Box.dim", "reluatlas.figures.plot"):
        assert problem_of(name) == "", name
    for name in ("reluatlas.cells.trice", "reluatlas.trice:trace", f"{module}:trice", "reluatlas.Box.dam"):
        assert problem_of(name) != "", name
    assert points_up("reluatlas.network.maps.compose", module) and points_up("reluatlas.errors", "reluatlas.cli.main")
    assert points_up("reluatlas.affine", "reluatlas.domain")
    assert not points_up("reluatlas.cli.main", module) and not points_up(module, "reluatlas.paths.path")
