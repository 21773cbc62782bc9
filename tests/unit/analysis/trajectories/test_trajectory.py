from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from tests.unit.analysis.paths import moving

BOX = ra.Box(-1, 1, dim=2)


def test_networks_are_made_of_the_stored_weights():
    trajectory = moving()
    assert len(trajectory) == 6 and trajectory.name == "2-4-3-2" and trajectory.n_hidden == 2
    X = np.random.default_rng(1).uniform(-1, 1, (50, 2))
    for t in (0, 3, -1):
        layers = trajectory.layers(t)
        assert [w.shape for w, _ in layers] == [(4, 2), (3, 4), (2, 3)]
        values = X
        for i, (weight, bias) in enumerate(layers):
            values = values @ weight.astype(float).T + bias
            values = np.maximum(values, 0) if i < 2 else values
        assert np.allclose(trajectory.network(t)(X), values, atol=1e-12)
    again = ra.Trajectory.from_layers([trajectory.layers(t) for t in range(6)], domain=BOX)
    assert np.array_equal(again.weights, trajectory.weights.astype(float)) and again.steps.tolist() == [
        0,
        1,
        2,
        3,
        4,
        5,
    ]


def test_measures_are_those_of_each_complex_for_any_number_of_jobs():
    trajectory = moving()
    seen = []
    measures = trajectory.measure(jobs=1, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(i, 6) for i in range(7)]
    two = trajectory.measure(jobs=2)
    for name, column in measures.to_table().items():
        assert np.array_equal(column, two.to_table()[name]), name
    assert measures.is_exact.all() and measures.steps.tolist() == [0, 10, 20, 30, 40, 50]
    for t in range(6):
        cx = trajectory.complex(t)
        assert measures.n_cells[t] == cx.n_cells and measures.n_linear_regions[t] == cx.n_linear_regions
        assert measures.n_affine_maps[t] == cx.n_affine_maps
        assert measures.n_boundary_pieces[t] == len(cx.decision_boundary())
        outputs = trajectory.network(t)(trajectory.X)
        assert measures.accuracy[t] == np.mean(outputs.argmax(axis=1) == trajectory.y)


def test_counts_and_spread_of_a_network_small_enough_to_do_by_hand():
    # relu(x0), relu(x1), one neuron that is always on, one that is always off; f = relu(x0) + relu(x1) - 1/2
    first = ([[1, 0], [0, 1], [0.1, 0], [0, 0.1]], [0, 0, 5, -5])
    trajectory = ra.Trajectory.from_layers([[first, ([[1, 1, 0, 0]], [-0.5])]], domain=BOX)
    measures = trajectory.measure()
    assert (measures.n_cells[0], measures.n_linear_regions[0], measures.n_boundary_pieces[0]) == (4, 4, 3)
    assert (measures.n_dead[0], measures.n_always_on[0]) == (1, 1)
    # dual points (w0, w1) / sqrt(3) at (0, 0), (1, 0), (0, 1), (1, 1), a quarter each: variance 1/4 * 1/3, twice
    assert measures.spread[0] == pytest.approx(np.sqrt(2 / 12))
    assert np.isnan(measures.accuracy[0])


def test_one_output_is_measured_by_its_sign():
    trajectory = moving((2, 3, 1))
    assert trajectory.measure([-1]).accuracy[0] == np.mean(
        (trajectory.network(-1)(trajectory.X)[:, 0] > 0) == trajectory.y
    )


def test_the_accuracy_needs_points():
    with pytest.raises(ArgumentError, match="no points"):
        moving(with_points=False).accuracy(0)


def test_values_cannot_be_changed():
    trajectory = moving()
    with pytest.raises(ValueError, match="read-only"):
        trajectory.weights[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        trajectory.sizes = (2, 2, 2)


@pytest.mark.parametrize(
    ("sizes", "rows", "error", "what"),
    [
        ((2, 2), np.zeros((1, 6)), ArgumentError, "no shape of a ReLU network"),
        ((2, 0, 2), np.zeros((1, 6)), ArgumentError, "no shape"),
        ((2, 1.5, 2), np.zeros((1, 6)), ArgumentError, "no shape"),
        ("abc", np.zeros((1, 6)), ArgumentError, "no shape"),
        ((2, 1, 2), np.zeros((1, 6)), DimensionError, r"expected \(T, 7\) for a network of 2-1-2"),
        ((2, 1, 2), np.zeros((0, 7)), DimensionError, r"shape \(0, 7\)"),
        ((2, 1, 2), np.full((1, 7), np.nan), NonFiniteError, "at time 0"),
        ((3, 1, 2), np.zeros((1, 8)), DimensionError, "takes 3 inputs"),
    ],
)
def test_parts_that_do_not_fit_are_refused(sizes, rows, error, what):
    with pytest.raises(error, match=what):
        ra.Trajectory(sizes, rows, domain=BOX)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"steps": [1, 1]}, "ascending"),
        ({"steps": [1]}, "ascending"),
        ({"X": np.zeros((3, 2))}, "belong together"),
        ({"X": np.zeros((3, 2)), "y": np.zeros(2)}, "expected"),
        ({"X": np.zeros((3, 2)), "y": [0, 1, 2]}, "labels 0 to 2"),
    ],
)
def test_steps_and_points_that_do_not_fit_are_refused(more, what):
    with pytest.raises((ArgumentError, DimensionError), match=what):
        ra.Trajectory((2, 1, 2), np.zeros((2, 7)), domain=BOX, **more)


def test_a_domain_that_is_not_a_plane_and_times_that_are_not_there_are_refused():
    with pytest.raises(ArgumentError, match="two-dimensional"):
        ra.Trajectory((3, 1, 2), np.zeros((1, 8)), domain=ra.Box(-1, 1, dim=3))
    trajectory = moving()
    for bad, what in ((6, "times 0 to 5"), (-7, "holds -7"), (True, "t=True"), (0.5, "t=0.5")):
        with pytest.raises(ArgumentError, match=what):
            trajectory.network(bad)
    for bad in ([], [0.5], [[1]]):
        with pytest.raises(ArgumentError, match="times"):
            trajectory.measure(bad)
    with pytest.raises(ArgumentError, match="jobs=0"):
        trajectory.measure(jobs=0)
    with pytest.raises(ArgumentError, match="empty"):
        ra.Trajectory.from_layers([], domain=BOX)
    other = [([[1.0, 0.0]], [0.0]), ([[1.0], [1.0]], [0.0, 0.0])]
    with pytest.raises(DimensionError, match="has one shape"):
        ra.Trajectory.from_layers([other, trajectory.layers(0)], domain=BOX)


def test_a_trajectory_on_a_slice():
    plane = ra.Slice.through([[0, 0, 0], [1, 0, 1], [0, 1, 0]])
    rows = np.random.default_rng(0).uniform(-1, 1, (2, 26))
    trajectory = ra.Trajectory((3, 4, 2), rows, domain=plane)
    measures = trajectory.measure()
    assert measures.n_cells.min() > 1 and measures.is_exact.all()
