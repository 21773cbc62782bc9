"""The notebook runs from top to bottom, shows every public object, and no page of output."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
from pathlib import Path

import pytest

import reluatlas as ra

NOTEBOOK = Path(__file__).parents[2] / "docs" / "tour.ipynb"
MOST_LINES, MOST_CHARACTERS = 30, 2_400
_SHOWS = ("_repr_html_", "_repr_markdown_", "_repr_svg_")


def run(code, namespace):
    """Run the code of a cell as a notebook does; return what it prints and shows, and the value of its last line."""
    printed, shown = io.StringIO(), None
    tree = ast.parse(code)
    last = tree.body[-1] if tree.body else None
    is_shown = isinstance(last, ast.Expr) and not code.rstrip().endswith(";")
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(tree.body[: -1 if is_shown else None], []), "tour.ipynb", "exec"), namespace)
        if is_shown:
            shown = eval(compile(ast.Expression(last.value), "tour.ipynb", "eval"), namespace)
    return printed.getvalue() + ("" if shown is None else repr(shown)), shown


@pytest.fixture(scope="module")
def cells():
    stored = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert stored["nbformat"] == 4 and all(set(c) >= {"id", "cell_type", "source", "metadata"} for c in stored["cells"])
    code = [c for c in stored["cells"] if c["cell_type"] == "code"]
    assert all(not c["outputs"] and c["execution_count"] is None for c in code), (
        "stored without outputs, which go stale"
    )
    return ["".join(c["source"]) for c in code]


def test_it_runs_and_no_output_is_a_page(cells):
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("Agg")
    namespace, n_figures = {"__name__": "__main__"}, 0
    for code in cells:
        output, shown = run(code, namespace)
        lines = output.splitlines()
        assert len(lines) <= MOST_LINES and len(output) <= MOST_CHARACTERS, (code, output[:500])
        for name in _SHOWS:
            text = getattr(shown, name, str)() if shown is not None and hasattr(shown, name) else ""
            assert len(re.findall(r"<tr\b", text or "")) <= MOST_LINES, code
        n_figures += len(pyplot.get_fignums())
        for number in pyplot.get_fignums():
            pyplot.figure(number).canvas.draw()
        pyplot.close("all")
    assert n_figures >= 12
    values = list(namespace.values())
    classes = [getattr(ra, n) for n in ra.__all__ if isinstance(getattr(ra, n), type)]
    missing = {c.__name__ for c in classes if not any(isinstance(v, c) for v in values)}
    assert missing <= {"Cluster"}, "made and named; a cluster is many processes, and Ray an extra"


def test_every_public_object_is_there(cells):
    text = "\n".join(cells)
    verbs = [n for n in ra.__all__ if not isinstance(getattr(ra, n), type)]
    assert not [n for n in verbs if not re.search(rf"\bra\.{n}\b", text)]
    assert not [n for n in ra.plot.__all__ if not re.search(rf"\bra\.plot\.{n}\(", text)]
