"""Every answer about hundreds of networks that are hard to get right equals that of the exact oracles.

`python benchmarks/families.py --only FAMILY --case SEED` prints a network and all that is wrong about it; the benchmark
asks about ten thousand.
"""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from tests.doors import network_of
from tests.oracles import scales, windows  # noqa: F401 - they add their families
from tests.oracles.families import FAMILIES
from tests.oracles.steps import Dense
from tests.questions import cells, decision_boundary, facets, maps, vertices, volumes
from tests.truth import Truth
from tests.verdicts import verdict

EACH = 23
"""Networks of a family: more than 600 in all."""
FAR = ("wild", "tiny", "huge", "ends", "subnormal", "mixed_ends", "far_boxes")
"""Families whose numbers may leave float64's range: a sentence may take the place of an answer."""


def test_there_are_six_hundred_networks():
    assert EACH * len(FAMILIES) >= 600


@pytest.mark.parametrize("family", FAMILIES)
def test_all_answers_are_right(family):
    n_right, wrong, refused = 0, [], 0
    for seed in range(EACH):
        found = verdict(FAMILIES[family](seed), brief=True)
        n_right += found.n_right
        refused += len(found.of("refused"))
        wrong += [
            f"{family}, seed {seed}, {f.question}: {f.kind}, {f.text}" for f in found.faults if f.kind != "refused"
        ]
        if family not in FAR:
            wrong += [f"{family}, seed {seed}, {f.question}: refused, {f.text}" for f in found.of("refused")]
    assert not wrong, f"{len(wrong)} answers are wrong:\n" + "\n".join(wrong[:5])
    assert n_right > 50 * EACH // 2, f"only {n_right} answers were checked, {refused} refused"


@pytest.mark.parametrize(
    ("family", "seed"),
    [("ulp", 71), ("ulp", 95), ("wild", 71), ("duplicate", 119), ("subnormal", 47), ("subnormal", 90)],
)
def test_networks_that_once_had_a_wrong_answer(family, seed):
    found = verdict(FAMILIES[family](seed))
    assert not found.of("wrong") and not found.of("foreign"), [f.text for f in found.faults]


def test_a_broken_answer_is_found():
    # The questions are no formality: each finds what it asks about changed.
    from dataclasses import replace

    case = FAMILIES["gaussian"](0)
    truth, cx = Truth(case), ra.enumerate_cells(network_of(case), ra.Box(-1, 1, dim=2))
    assert all(ask(truth, cx) > 0 for ask in (cells, maps, vertices, volumes, facets, decision_boundary))
    moved = cx.vertices.points.copy()
    moved[3, 0] += 1e-6
    other = cx.facets.neighbor.copy()
    inner = np.flatnonzero(other >= 0)
    other[inner[0]] = (other[inner[0]] + 1) % cx.n_cells
    broken = {
        cells: replace(cx, patterns=np.where(np.arange(cx.n_cells)[:, None] == 0, 1 - cx.patterns, cx.patterns)),
        maps: replace(cx, affine=ra.AffineMaps(cx.affine.A, cx.affine.b + 1e-6)),
        vertices: replace(cx, vertices=replace(cx.vertices, points=moved)),
        facets: replace(cx, facets=replace(cx.facets, neighbor=other)),
    }
    for ask, wrong in broken.items():
        with pytest.raises(AssertionError):
            ask(truth, wrong)
    # The truth of another network is another truth.
    last = case.steps[-1]
    assert isinstance(last, Dense)
    shifted = replace(case, steps=(*case.steps[:-1], Dense(last.weight, last.bias + 0.125)))
    with pytest.raises(AssertionError):
        decision_boundary(Truth(shifted), cx)
