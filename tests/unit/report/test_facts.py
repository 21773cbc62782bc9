from __future__ import annotations

import json

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.report import facts, words
from tests.unit.figures.fake import layers_of


def test_numbers_of_a_complex_are_its_own(whole):
    numbers = facts.of_complex(whole)
    assert numbers["n_cells"] == whole.n_cells and numbers["n_affine_maps"] == whole.n_affine_maps
    assert numbers["volume"] == pytest.approx(8.0) and numbers["share_done"] == 1.0
    v, e, f = numbers["f_vector"]
    assert v - e + f == numbers["euler_characteristic"] == 1 and f == whole.n_cells
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers


def test_numbers_of_an_incomplete_complex_say_so(cut_short):
    numbers = facts.of_complex(cut_short)
    assert numbers["is_complete"] is False and numbers["n_cells"] == 6
    assert numbers["share_done"] == pytest.approx(numbers["volume"] / numbers["domain_volume"])
    assert 0 < numbers["share_done"] < 1


def test_numbers_of_a_count(whole):
    numbers = facts.of_count(ra.count_cells(whole.network, whole.domain), whole.domain)
    assert numbers["n_cells"] == whole.n_cells and numbers["is_complete"] is True
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers


def test_nodes_of_a_network():
    network = facts.of_network(ra.load(layers_of((3, 5, 2))))
    assert [(n["kind"], n["units"], n["parameters"]) for n in network["nodes"]] == [
        ("input", 0, 0),
        ("affine", 0, 20),
        ("relu", 5, 0),
        ("affine", 0, 12),
    ]
    assert network["n_parameters"] == 32 and network["notes"] == []
    assert [n["reads"] for n in network["nodes"]] == [[], [0], [1], [2]]


def test_domains(cut_short):
    plane = cut_short.domain
    assert facts.of_domain(ra.Box(0, 1, dim=2)) == {"kind": "box", "low": [0.0, 0.0], "high": [1.0, 1.0]}
    stored = facts.of_domain(plane)
    assert stored["kind"] == "slice" and np.array_equal(stored["basis"], plane.basis)


@pytest.mark.parametrize(
    ("part", "text"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.5, "50 %"), (0.0001, "under 0.1 %"), (0.99999, "99.9 %"), (0.0123, "1.2 %")],
)
def test_shares_are_never_rounded_to_none_or_all(part, text):
    assert words.share(part) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0001, "under 1 ms"), (0.0123, "12 ms"), (3.21, "3.2 s"), (1234.5, "1,234 s")]
)
def test_durations(value, text):
    assert words.seconds(value) == text


def test_why_it_stopped():
    for reason, said in (("max_cells", "cells"), ("max_seconds", "time"), ("interrupt", "interrupted")):
        text = words.stopped(reason, 0.25)
        assert text.startswith("Incomplete: ") and said in text and "25 %" in text


def test_words_of_exactness():
    exact = {"status": "exact", "n_escalated": 12, "n_uncertain": 0, "share_escalated": 0.25}
    assert "12 of them settled beyond float64 (25 % of visits)" in words.exactness(exact)
    assert "3 signs" in words.exactness({**exact, "status": "float64", "n_uncertain": 3})
    assert words.exactness({**exact, "status": "sampled"}).startswith("sampled")
