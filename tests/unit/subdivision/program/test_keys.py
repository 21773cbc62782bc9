"""Hashes of patterns: the same by the tables of a program, by a whole pattern, and by Python's own integers."""

from __future__ import annotations

import numpy as np
import pytest

from reluatlas.answers.limits import Limits
from reluatlas.subdivision.local import localize
from reluatlas.subdivision.program.keys import keys_of_one, pattern_key
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner.run import run
from reluatlas.testing import FAMILIES, domain_for

WORD = 2**64 - 1


def key(unit: int, piece: int) -> int:
    """SplitMix64 of a unit's piece."""
    if not piece:
        return 0
    z = ((unit * 1024 + piece) * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & WORD
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & WORD
    return z ^ z >> 31


def whole(pattern) -> int:
    total = 0
    for unit, piece in enumerate(pattern.tolist()):
        total ^= key(unit, piece)
    return total


def test_keys_of_one_are_those_of_integers():
    column = np.array([0, 3, 17, 10**6, 2**40])
    assert keys_of_one(column).tolist() == [key(unit, 1) for unit in column.tolist()]


@pytest.mark.parametrize("mode", ["off", "items"])
@pytest.mark.parametrize("family", ["generic", "leaky_abs_clip", "max_identical", "ternary"])
def test_cells_are_hashed_by_all_their_pieces(family, mode, monkeypatch):
    monkeypatch.setattr(localize, "mode", mode)
    outcome = run(lower(FAMILIES[family](1), domain_for(1)), Limits(), collect=True)
    assert outcome.n_cells > 3
    for found in outcome.found:
        for pattern, its in zip(found.cells.pattern, found.cells.hash, strict=True):
            assert int(its) == whole(pattern) == int(pattern_key(pattern.astype(np.int32), pattern.size))
