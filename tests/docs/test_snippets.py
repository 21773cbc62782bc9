"""Every snippet of the pages runs, in the order of its page, and prints what the page says.

A page is read from top to bottom in one folder and one Python namespace: `python` blocks, and the lines of `sh` blocks
that start with `reluatlas` (of a page whose shell examples are about files that it makes). The `text` block after one
is its output. Times are not compared.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/exactness.md",
    "docs/files.md",
    "docs/cli.md",
    "docs/any-dimension.md",
    "docs/compare.md",
    "docs/atlas.md",
    "docs/figures.md",
    "docs/how-to.md",
    "docs/joining.md",
    "docs/simplify.md",
    "docs/testing.md",
    "docs/check.md",
    "docs/why.md",
    "docs/nearest.md",
]
RUNS_SHELL = {"docs/cli.md"}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TIME = re.compile(r"^(time +).*$", re.MULTILINE)


def _python(code: str, name: str, namespace: dict) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), namespace)
    return printed.getvalue()


def _shell(line: str) -> str:
    words = shlex.split(line)
    assert words[0] == "reluatlas"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "reluatlas", *words[1:]], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode in (0, 2, 3), done.stderr
    return done.stdout or done.stderr


def outputs(page: str, folder: Path) -> list[tuple[str, str, str]]:
    """Return (snippet, what it printed, what the page says) for each that has an output."""
    text = (ROOT / page).read_text(encoding="utf-8")
    namespace: dict = {"__name__": "snippet"}
    found, before = [], ("", "")
    for language, code in _BLOCK.findall(text):
        if language == "python":
            before = (code, _python(code, page, namespace))
        elif language == "sh" and page in RUNS_SHELL:
            before = (code, _shell(code.strip()).replace(str(folder.resolve()), "FOLDER"))
        elif language == "text":
            found.append((*before, code))
    return found


def _plain(text: str) -> str:
    return _TIME.sub(r"\1...", text.strip())


@pytest.mark.parametrize("page", PAGES)
def test_snippets_print_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pairs = outputs(page, tmp_path)
    assert pairs, "the page has no output to compare"
    for snippet, printed, said in pairs:
        assert _plain(printed) == _plain(said), snippet


def test_every_task_of_the_how_to_is_three_lines_at_most():
    text = (ROOT / "docs/how-to.md").read_text(encoding="utf-8")
    tasks = text.split("\n## ")[1:]
    assert len(tasks) == 15
    for task in tasks:
        (code,) = [code for language, code in _BLOCK.findall("## " + task) if language == "python"]
        lines = [line for line in code.splitlines() if line.strip() and not line.startswith(("from ", "import "))]
        assert len(lines) <= 3, task
