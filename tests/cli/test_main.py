"""How a command ends: help, version, surprises, and what is imported for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from reluatlas import __version__
from reluatlas.errors import InternalError
from tests.cli.run import dense_layers, write_onnx

SOURCE = Path(__file__).resolve().parents[2] / "src"


def in_new_process(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, timeout=200,
    )  # fmt: skip


@pytest.mark.parametrize(
    "verb", ["", "inspect", "cells", "at", "explore", "affine", "simplify", "reduce", "why", "demo"]
)
def test_help_has_an_example_and_fits_the_screen(command, verb):
    outcome = command(*([verb] if verb else []), "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("Example: reluatlas") == 1
    assert outcome.out.count("...") == outcome.out.count("N,N,...") + outcome.out.count("[ARGS]...")  # nothing cut off
    assert max(map(len, outcome.out.splitlines())) <= 80
    if verb:
        for option in ("--json", "-o, --out", "--quiet"):
            assert option in outcome.out
        # what does nothing there is taken, and not shown
        with_jobs = ("cells", "affine", "reduce", "demo")
        assert "--seed" not in outcome.out and ("--jobs" in outcome.out) == (verb in with_jobs)
        headings = [line for line in outcome.out.splitlines() if line.endswith(":") and line[0] != " "]
        assert "Result:" in headings and len(headings) == len(set(headings))


def test_nothing_given_prints_the_help(command):
    assert command().out == command("-h").out
    assert command("--version").out == f"reluatlas {__version__}\n"


def test_a_bug_is_no_bad_input(command, monkeypatch, tmp_path):
    import reluatlas.importers.load as home

    def broken(*arguments, **keywords):
        raise InternalError("a certainty was violated")

    monkeypatch.setattr(home, "load", broken)
    outcome = command("inspect", "m.onnx")
    assert outcome.code == 1 and outcome.err == "reluatlas: a certainty was violated\n"


def test_without_out_nothing_that_draws_is_imported(tmp_path):
    write_onnx(tmp_path / "m.onnx", dense_layers((2, 4, 1)))
    code = (
        "import sys; from reluatlas.cli.main import main; code = main(sys.argv[1:])\n"
        "heavy = [m for m in ('matplotlib', 'rich', 'sklearn', 'torch', 'PIL') if m in sys.modules]\n"
        "print(heavy, file=sys.stderr); sys.exit(code)"
    )
    for arguments in (["cells", "m.onnx", "--box", "-1,1"], ["inspect", "m.onnx"], ["cells", "--help"]):
        ended = in_new_process(code, tmp_path, *arguments)
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr.splitlines()[-1] == "[]"


def test_bad_input_is_one_line_in_a_real_process(tmp_path):
    ended = in_new_process(
        "import runpy; runpy.run_module('reluatlas', run_name='__main__')", tmp_path, "inspect", "x.onnx"
    )
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr == "reluatlas: `x.onnx` does not exist. Check the path.\n"


def test_a_reader_that_left_is_no_error(tmp_path):
    write_onnx(tmp_path / "m.onnx", dense_layers((2, 4, 1)))
    read, write = os.pipe()
    os.close(read)
    code = "import sys; from reluatlas.cli.main import main; sys.exit(main(sys.argv[1:]))"
    ended = subprocess.run(
        [sys.executable, "-c", code, "inspect", "m.onnx"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(SOURCE)}, stdout=write, stderr=subprocess.PIPE, timeout=200,
    )  # fmt: skip
    os.close(write)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_progress_is_shown_on_a_terminal_only(monkeypatch, capsys):
    from reluatlas import progress
    from reluatlas.cli import console

    with console.progress(quiet=False) as callback:
        assert callback is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with console.progress(quiet=True) as callback:
        assert callback is None
    monkeypatch.setattr(progress, "_WAIT_S", 0.0)
    with console.progress(quiet=False) as callback:
        assert callback is not None
        callback("cells", 1234, 0.25)
    shown = capsys.readouterr()
    assert shown.out == "" and "1,234 cells, 25 %" in shown.err and shown.err.endswith("\r")


def test_compiling_is_announced_once_on_stderr(monkeypatch, capsys):
    from reluatlas.cli import console
    from reluatlas.compiled import jit

    def one_more(value):
        return value + 1

    one_more.__module__ = "reluatlas.kernels_test"
    for quiet, shown in ((False, 1), (True, 0)):
        monkeypatch.setattr(jit._announcement, "say", None)
        console.announce_compiling(quiet=quiet)
        compiled = numba.njit(one_more)
        assert compiled(1) == 2 and compiled(1.5) == 2.5
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("Compiling kernels, once per machine") == shown


def test_a_question_has_no_period(command):
    outcome = command("cels")
    assert outcome.code == 2 and "Did you mean 'cells'? See `reluatlas --help`." in outcome.err


def test_completion_and_short_options(tmp_path):
    write_onnx(tmp_path / "m.onnx", dense_layers((2, 4, 1)))
    code = "import sys; from reluatlas.cli.main import main; sys.exit(main(sys.argv[1:]))"
    words = {"_RELUATLAS_COMPLETE": "complete_bash", "COMP_WORDS": "reluatlas at --ma", "COMP_CWORD": "2"}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(SOURCE), **words},
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert ended.stdout.split() == ["--max-cells", "--max-seconds"]
    ended = in_new_process(code, tmp_path, "cells", "m.onnx", "--box", "-1,1", "--count-only", "-j", "1", "-o", "r")
    assert ended.returncode == 0 and (tmp_path / "r" / "cells.json").exists()
