"""Compiled kernels are never older than what they are made of, and check their indices when asked to."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import reluatlas
from reluatlas.compiled.jit import cache_folder, folder_name, kernel_sources

PACKAGE = Path(reluatlas.__file__).parent
DECORATORS = {"kernel", "inner"}


def trees():
    """Return the parsed files of the package by the names under which they are imported."""
    out = {}
    for source in PACKAGE.rglob("*.py"):
        parts = ("reluatlas", *source.relative_to(PACKAGE).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        out[name] = source, ast.parse(source.read_text(encoding="utf-8"))
    return out


def decorator_of(node):
    """Return the name of a decorator, without its arguments."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.id if isinstance(node, ast.Name) else ""


def kernels_of(tree):
    """Yield the functions of a file that are compiled."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(decorator_of(d) in DECORATORS for d in node.decorator_list):
            yield node


def imports_of(tree):
    """Return what a file imports from the package, anywhere: name to (module, name there)."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reluatlas")
        for alias in node.names
    }


def test_all_that_kernels_are_made_of_is_in_the_digest():
    """Every name that a compiled function reads comes from a file of the digest, through any number of files."""
    files, found = trees(), set(kernel_sources(PACKAGE))
    n_kernels = 0
    left = []
    for name, (source, tree) in files.items():
        compiled = list(kernels_of(tree))
        if name == "reluatlas.compiled.jit" or not compiled:
            continue
        n_kernels += len(compiled)
        assert source in found, source
        used = {n.id for f in compiled for n in ast.walk(f) if isinstance(n, ast.Name)}
        left += [(name, used)]
    assert n_kernels > 150
    seen = set()
    while left:
        name, used = left.pop()
        imported = imports_of(files[name][1])
        # a constant may be made of other names of its file
        for node in files[name][1].body:
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if used & {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}:
                    used = used | {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        for local in used & imported.keys():
            home, there = imported[local]
            home, there = (f"{home}.{there}", "") if f"{home}.{there}" in files else (home, there)
            assert files[home][0] in found, f"{local} of {name} comes from {home}, which is not in the digest"
            if (home, there) not in seen:
                seen.add((home, there))
                left.append((home, {there}))
    assert ("reluatlas.subdivision.program.layout", "M_K") in seen and ("reluatlas.arithmetic.bits", "popcount") in seen


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the package, whose files can be changed."""
    shutil.copytree(PACKAGE, tmp_path / "reluatlas", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "reluatlas"


def test_a_file_that_kernels_are_made_of_changes_the_folder(copy):
    before = folder_name(copy)
    assert before == folder_name(PACKAGE) == cache_folder().name
    names = [str(source.relative_to(copy)) for source in kernel_sources(copy)]
    assert {"compiled/structs.py", "compiled/jit.py", "arithmetic/bits.py"} <= set(names)
    assert {"subdivision/program/layout.py", "subdivision/polytopes/tree.py"} <= set(names)
    assert len(names) > 30 and not {"errors.py", "cli/main.py", "cells/explore.py"} & set(names)
    for name in names:
        text = (copy / name).read_bytes()
        (copy / name).write_bytes(text + b"\n# another\n")
        assert folder_name(copy) != before, name
        (copy / name).write_bytes(text)
    for name in ("errors.py", "cli/main.py", "cells/explore.py", "network/network.py"):
        (copy / name).write_bytes((copy / name).read_bytes() + b"\n# another\n")
    assert folder_name(copy) == before


def test_a_kernel_in_any_folder_counts(copy):
    before = folder_name(copy)
    for folder in ("arithmetic/deep/inside", "report", "."):
        home = copy / folder
        home.mkdir(parents=True, exist_ok=True)
        (home / "added.py").write_text("from reluatlas.compiled.jit import kernel\n")
        with_file = folder_name(copy)
        assert with_file != before
        (home / "added.py").write_text(
            "from reluatlas.compiled.jit import (\n    inner,\n    kernel,\n)\nfrom reluatlas.affine import LIMIT\n"
        )
        assert folder_name(copy) not in (before, with_file)
        # what it takes a constant from counts, too, and what that takes one from
        assert copy / "affine.py" in kernel_sources(copy)
        honest = (copy / "affine.py").read_text()
        (copy / "affine.py").write_text("from reluatlas.domain import (\n    MOST,\n)\n" + honest)
        assert copy / "domain.py" in kernel_sources(copy)
        (copy / "affine.py").write_text(honest)
        (home / "added.py").unlink()
    assert folder_name(copy) == before
    (copy / "arithmetic" / "bits.py").rename(copy / "report" / "bits.py")
    assert folder_name(copy) != before


CHECKED = """
import numpy as np
from typing import NamedTuple
from reluatlas.compiled.jit import cache_folder, inner, kernel
from reluatlas.compiled.structs import pack

class Arrays(NamedTuple):
    a: np.ndarray
    b: np.ndarray

@inner
def read(P, i, j):
    return P.a[i] + P.b[i, j]

@kernel
def call(P, i, j):
    return read(P, i, j)

arrays = pack(Arrays(np.arange(64.0)[:3], np.ones((64, 64))[:2, :2].copy()))
print(cache_folder().name.rpartition("-")[0], call(arrays, 1, 1))
for i, j in ((2, 0), (1, 2), (-4, 0)):
    try:
        call(arrays, i, j)
        print("read")
    except IndexError:
        print("refused")
"""


def test_kernels_check_their_indices_when_asked_to(tmp_path):
    (tmp_path / "checked.py").write_text(CHECKED)
    environment = os.environ | {
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    command = [sys.executable, str(tmp_path / "checked.py")]
    given = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert given.stdout.split() == ["checked-kernels", "2.0", "refused", "refused", "refused"]
    assert [p.name.rpartition("-")[0] for p in (tmp_path / "reluatlas").iterdir()] == ["checked-kernels"]
