"""The tables of arrays beside `Program`, `State` and `Work` list every array once, with the shape that it has."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.subdivision.path import composition
from reluatlas.subdivision.path.composition import State
from reluatlas.subdivision.polygons import tree as polygons
from reluatlas.subdivision.polytopes import buffers as polytopes
from reluatlas.subdivision.program.layout import (
    M_K,
    M_LEVELS,
    M_MAX_SIZE,
    M_ROW_LIMBS,
    M_ROWS,
    M_TENSORS,
    M_UNITS,
    Program,
)
from reluatlas.subdivision.program.lower import lower
from reluatlas.testing.zoo import FAMILIES
from tests.unit.subdivision.program.test_blocks import wide

TABLES = [Program, State, polygons.Work, polytopes.Work]
ROOM, WORDS = 1 << 10, 2


def rows_of(table: type) -> dict[str, tuple[str, str, str]]:
    """Return (shape, what it holds, who writes it) of each array of a table."""
    found = {}
    for line in (table.__doc__ or "").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.strip().startswith("| `"):
            names, *rest = cells
            for name in re.findall(r"`(\w+)`", names):
                assert name not in found, f"{name} stands twice"
                found[name] = tuple(rest)
    return found


@pytest.mark.parametrize("table", TABLES, ids=lambda t: f"{t.__module__.split('.')[-2]}.{t.__name__}")
def test_every_array_is_in_its_table(table):
    rows = rows_of(table)
    assert set(rows) == set(table._fields)
    assert all(len(cells) == 3 and all(cells) for cells in rows.values())


def assert_shapes(arrays, known: dict[str, int]) -> None:
    """Check shapes against the table; a letter that stands for a number not known before takes it from the first."""
    for name, (shape, *_) in rows_of(type(arrays)).items():
        actual = getattr(arrays, name).shape
        written = ast.parse(shape, mode="eval").body
        assert isinstance(written, ast.Tuple), name
        sides = [ast.unparse(side) for side in written.elts]
        assert len(sides) == len(actual), name
        for side, length in zip(sides, actual, strict=True):
            new = {n.id for n in ast.walk(ast.parse(side)) if isinstance(n, ast.Name)} - known.keys() - {"max"}
            if new:
                (letter,) = new
                at_zero, at_one = (eval(side, {"max": max}, {**known, letter: v}) for v in (0, 1))
                known[letter], rest = divmod(length - at_zero, at_one - at_zero)
                assert rest == 0 and known[letter] >= 0, name
            assert eval(side, {"max": max}, known) == length, (name, side, known)


def program_of(network, domain) -> tuple[Program, dict[str, int]]:
    program = lower(network, domain).program
    of_meta = {
        "T": M_TENSORS,
        "L": M_LEVELS,
        "R": M_ROWS,
        "U": M_UNITS,
        "Z": M_MAX_SIZE,
        "k": M_K,
        "limbs": M_ROW_LIMBS,
    }
    return program, {letter: int(program.meta[place]) for letter, place in of_meta.items()}


NETWORKS = {
    "convolutions and a max-pool": lambda: wide(0, 8),
    **{family: (lambda make=make: make(0)) for family, make in FAMILIES.items()},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_are_those_of_the_tables(name, monkeypatch):
    network = NETWORKS[name]()
    rng = np.random.default_rng(0)
    domain = ra.Slice.through(rng.normal(size=(min(3, network.n_inputs) + 1, network.n_inputs)))
    program, known = program_of(network, domain)
    assert known["R"] == sum(int(s) for s in program.size)
    assert_shapes(program, {**known, "n": network.n_inputs})
    cutters = sum(int(program.size[c]) * max(1, int(program.n_knots[c])) for c in program.cut)
    for made in (polygons.new_work(program, ROOM), polytopes.new_work(program, ROOM, WORDS)):
        assert_shapes(made, {**known, "Q": cutters, "room": ROOM, "words": WORDS})
    for kernel in ("prepare_block", "complete_block"):  # shapes are those before any work
        monkeypatch.setattr(composition, kernel, lambda *_: None)
    assert_shapes(composition.new_state(program), {**known, "Q": cutters})
