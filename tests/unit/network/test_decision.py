"""What outputs decide: the largest, the smallest, or nothing; names of classes."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ArgumentError, DimensionError

RNG = np.random.default_rng(11)
LAYERS = [(RNG.normal(size=(7, 2)), RNG.normal(size=7)), (RNG.normal(size=(3, 7)), RNG.normal(size=3))]
NEGATED = [LAYERS[0], (-LAYERS[1][0], -LAYERS[1][1])]
BOX = ra.Box(-1, 1, dim=2)


def _ends(segments):
    """Return segments as a sorted set of pairs of ends."""
    pairs = np.sort(np.round(segments, 9).reshape(-1, 2, 2).view([("x", float), ("y", float)])[..., 0], axis=1)
    return sorted(pairs.tolist())


def test_the_smallest_output_decides_as_the_largest_of_the_negated_network() -> None:
    smallest, largest = ra.load(LAYERS, classes="min"), ra.load(NEGATED)
    a, b = ra.enumerate_cells(smallest, BOX), ra.enumerate_cells(largest, BOX)
    assert _ends(a.decision_boundary().segments) == _ends(b.decision_boundary().segments)
    assert len(a.decision_boundary()) > 0
    assert np.array_equal(a.to_table()["class_at_center"], b.to_table()["class_at_center"])
    assert _ends(a.decision_boundary().segments) != _ends(
        ra.enumerate_cells(ra.load(LAYERS), BOX).decision_boundary().segments
    )
    segment = ra.Segment([-1, -0.9], [1, 0.7])
    p, q = ra.trace(smallest, segment), ra.trace(largest, segment)
    assert np.array_equal(p.classes, q.classes)
    assert np.allclose(p.class_changes, q.class_changes, rtol=0, atol=1e-12)
    assert p.n_pieces == q.n_pieces
    values = smallest(np.stack([segment.a, segment.b]))
    assert [p.classes[0], p.classes[-1]] == values.argmin(axis=1).tolist()


def test_classes_of_cells_and_points() -> None:
    smallest = ra.load(LAYERS, classes="min")
    found = ra.explore(smallest, [[0.1, 0.2]], max_cells=5)
    assert np.array_equal(found.classes, smallest(found.points).argmin(axis=1))
    x = np.array([0.1, 0.2])
    other = ra.cell_at(smallest, x, BOX).nearest_other_class()
    same = ra.cell_at(ra.load(NEGATED), x, BOX).nearest_other_class()
    assert (other is None) == (same is None)
    if other is not None and same is not None:
        assert other.output == same.output
        assert np.isclose(other.distance, same.distance)


def test_outputs_that_are_no_classes() -> None:
    net = ra.load(LAYERS, classes=None)
    cx = ra.enumerate_cells(net, BOX)
    with pytest.raises(ArgumentError, match="classes=None"):
        cx.decision_boundary()
    with pytest.raises(ArgumentError, match="classes=None"):
        ra.plot.cells(cx, by="class")
    assert set(cx.to_table()["class_at_center"].tolist()) == {-1}
    path = ra.trace(net, ra.Segment([-1, -0.9], [1, 0.7]))
    assert path.classes.tolist() == [-1]
    assert path.class_changes.size == 0
    assert path.n_pieces == ra.trace(ra.load(LAYERS), ra.Segment([-1, -0.9], [1, 0.7])).n_pieces
    ra.plot.layers(cx)
    ra.plot.path(path)
    ra.plot.surface(cx)


def test_a_single_output_has_a_zero_set_all_the_same() -> None:
    layers = [LAYERS[0], (LAYERS[1][0][:1], LAYERS[1][1][:1])]
    regression = ra.enumerate_cells(ra.load(layers, classes=None), BOX).decision_boundary()
    assert _ends(regression.segments) == _ends(ra.enumerate_cells(ra.load(layers), BOX).decision_boundary().segments)


def test_names_of_classes_are_in_the_legend() -> None:
    net = ra.load(LAYERS, class_names=["cat", "dog", "bird"])
    ax = ra.plot.cells(ra.enumerate_cells(net, BOX), by="class")
    legend = ax.get_legend()
    assert legend is not None
    shown = {text.get_text() for text in legend.get_texts()}
    assert shown
    assert shown <= {"cat", "dog", "bird"}


def test_bad_meanings_are_refused_in_a_sentence() -> None:
    for options, error, text in (
        ({"classes": "largest"}, ArgumentError, "expected .max."),
        ({"class_names": ["a", "b"]}, DimensionError, "has 2 names; expected 3"),
        ({"class_names": ["a", "a", "b"]}, ArgumentError, "a name twice"),
        ({"class_names": "abc"}, ArgumentError, "is no list"),
        ({"output": 1}, ArgumentError, "has one output"),
        ({"input_shape": {"x": (2,)}}, ArgumentError, "without a name"),
    ):
        with pytest.raises(error, match=text):
            ra.load(LAYERS, **options)


def test_scikit_learn_keeps_the_names_of_classes() -> None:
    from sklearn.neural_network import MLPClassifier

    X = RNG.normal(size=(60, 2))
    for names in (["no", "yes"], ["a", "b", "c"]):
        y = np.array(names)[(X[:, 0] > 0).astype(int) + (len(names) == 3) * (X[:, 1] > 0)]
        model = MLPClassifier(hidden_layer_sizes=(5,), max_iter=300, tol=0.1, n_iter_no_change=1, random_state=0)
        with np.errstate(all="ignore"):
            model.fit(X, y)
        net = ra.load(model)
        assert net.class_names == tuple(names)
        cx = ra.enumerate_cells(net, BOX)
        at = cx.to_table()["class_at_center"]
        assert model.predict(cx.interior_points).tolist() == [net.class_names[c] for c in at]
