from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from reluatlas.network.build import Builder
from reluatlas.network.maps import affine_at
from reluatlas.network.network import Dense
from reluatlas.network.patterns.certain import Walk
from tests.unit.network.nets import FAMILIES, network
from tests.unit.network.reference import germ


def sample(rng: np.random.Generator, n: int) -> np.ndarray:
    whole = rng.integers(-2, 3, (6, n)).astype(float)
    return np.concatenate([np.zeros((1, n)), whole, whole[:2] / 10, whole[:2] / 3, rng.uniform(-1, 1, (2, n))])


def magnitude(net) -> float:
    """Return how large composed coefficients can become: float64 maps are good to this times the rounding."""
    total = 1.0
    for node in net.nodes:
        for operator in getattr(node, "operators", ()):
            total *= max(1.0, np.abs(operator.weight).sum(axis=1).max() if isinstance(operator, Dense) else 1.0)
    return total


def check(net, X) -> int:
    """Compare patterns, cells and maps with the reference at each point; return how many points are on a face."""
    found, maps, scale = net.patterns(X), net.affine_at(X), magnitude(net)
    walk = Walk(net, net.points(X)[0], perturb=True)
    cells = np.concatenate([walk.choice[i] for i in net.cuts], axis=1)
    faces = 0
    for i, x in enumerate(np.asarray(X, dtype=float).reshape(len(X), -1)):
        pattern, _, _ = germ(net, x, perturb=False)
        assert found[i].tolist() == pattern, (i, x)
        cell, forms, on_face = germ(net, x, perturb=True)
        assert cells[i].tolist() == cell, (i, x)
        linear = np.array([[float(v) for v in f[1:]] for f in forms])
        assert np.allclose(maps.A[i].reshape(len(forms), -1), linear, rtol=1e-12, atol=1e-13 * scale), (i, x)
        assert maps.is_on_face[i] == on_face, (i, x)
        value = maps.A[i].reshape(len(forms), -1) @ x + maps.b[i]
        exact = np.array([float(f[0]) for f in forms])
        assert np.allclose(value, exact, rtol=1e-10, atol=1e-10 * scale)
        faces += on_face
    assert np.allclose(maps(X), net(X), rtol=1e-10, atol=1e-10 * scale)
    return faces


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_the_reference_in_fractions(family):
    faces = 0
    for seed, (n, depth) in enumerate([(2, 1), (2, 2), (3, 2), (2, 3), (1, 2)]):
        net = network(family, seed, n_inputs=n, depth=depth)
        faces += check(net, sample(np.random.default_rng(seed), n))
    # Families without biases or with whole numbers have faces at these points; the others usually do not.
    assert faces > 0 or family in ("generic", "duplicate", "opposite")


def on_a_face_of_first_layer(net, rng):
    """Return points of whose first pre-activations one is within an ulp or two of zero."""
    weight, bias = net.nodes[1].operators[0].weight, net.nodes[1].bias
    out = []
    for w, c in zip(weight, bias, strict=True):
        if not w[-1]:
            continue
        x = rng.uniform(-1, 1, w.size)
        x[-1] = -(w[:-1] @ x[:-1] + c) / w[-1]
        for _ in range(3):
            out.append(x.copy())
            x[-1] = np.nextafter(x[-1], np.inf)
    return np.array(out)


@pytest.mark.parametrize("family", ["generic", "duplicate", "biasless", "leaky", "max"])
def test_one_ulp_off_a_face(family):
    doubts = 0
    for seed in range(3):
        net = network(family, seed, width=6)
        X = on_a_face_of_first_layer(net, np.random.default_rng(seed))
        check(net, X)
        doubts += Walk(net, X).n_exact
    # Without the exact step these points would be decided by rounding.
    assert doubts > 0 or family == "max"


def test_rounding_alone_would_decide_wrongly():
    # On the stored numbers 0.1 + 0.6 - 0.7 is 2.8e-17 and 0.1 + 0.3 - 0.4 is -2.8e-17;
    # from left to right float64 says 0.
    X = np.array([[0.1, 0.6, 0.7], [0.1, 0.3, 0.4], [0.1, 0.2, 0.3], [1e16, 1.0, 1e16], [1.0, 1e-30, 1.0]])
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        b = Builder((3,))
        weight = np.array([[1.0, 1.0, -1.0]])[:, order]
        z = b.dense(b.gather(0, order, shape=(3,)), weight)
        net = b.finish(b.relu(z))
        exact = [int(sum(map(Fraction, x[:2].tolist())) > Fraction(float(x[2]))) for x in X]
        assert net.patterns(X)[:, 0].tolist() == exact
        assert exact == [1, 0, 1, 1, 1]
        assert Walk(net, X).n_exact > 0


def test_cancellation_in_a_later_layer():
    # relu(z) - relu(z) computed with different rounding: 3 z against z + z + z, z = 0.1 x.
    b = Builder((1,))
    z = b.relu(b.dense(0, [[0.1], [0.1], [0.1]]))
    net = b.finish(b.relu(b.dense(z, [[3.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [0.1, 0.2, -0.3]])))
    X = np.array([[0.7], [1.1], [-1.0]])
    found = net.patterns(X)
    assert found[:, 3:].tolist() == [[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0]]
    check(net, X)
    assert not net.affine_at(X).is_on_face.any()


def test_pattern_and_cell_differ_where_no_cell_has_the_pattern():
    b = Builder((1,))
    net = b.finish(b.dense(b.relu(b.dense(0, [[1.0], [-1.0]])), [[1.0, -1.0]]))
    assert net.patterns([0.0]).tolist() == [0, 0]
    maps = net.affine_at([0.0])
    assert maps.A.tolist() == [[[1.0]]] and maps.b.tolist() == [[0.0]] and maps.is_on_face.tolist() == [True]
    assert net.affine_at([0.0], ties="torch").A.tolist() == [[[0.0]]]


def test_perturbation_is_lexicographic():
    b = Builder((3,))
    net = b.finish(b.relu(b.dense(0, [[0, 0, 1.0], [0, -1e-9, 5.0], [1e-9, -1.0, -1.0], [0, 0, 0]])))
    maps = net.affine_at(np.zeros(3))
    assert maps.A[0].tolist() == [[0, 0, 1.0], [0, 0, 0], [1e-9, -1.0, -1.0], [0, 0, 0]]
    assert maps.is_on_face.tolist() == [True]


def test_derivatives_that_cancel_are_decided_exactly():
    # 3 (0.1 x) - 0.1 x - 0.1 x - 0.1 x has derivative 0, in float64 2.8e-17; then the derivative by y decides.
    b = Builder((2,))
    h = b.dense(0, [[0.1, 0.0], [0.1, 0.0], [0.1, 0.0], [0.1, 0.0], [0.0, 1.0]])
    row = np.array([3.0, -1.0, -1.0, -1.0, 0.0])
    y = np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    net = b.finish(b.relu(b.dense(h, [row, -row, row + y, y - row, row - y, -row - y])))
    walk = Walk(net, np.zeros((1, 2)), perturb=True)
    assert walk.choice[net.output].tolist() == [[0, 0, 1, 1, 0, 0]]
    check(net, np.zeros((1, 2)))
    b = Builder((2,))
    h = b.dense(0, np.full((4, 2), 0.1))
    net = b.finish(b.relu(b.dense(h, [row[:4], -row[:4]])))
    assert not net.affine_at(np.zeros(2)).is_on_face[0]


def test_exact_values_are_passed_on():
    b = Builder((3,))
    here = b.dense(0, [[3.0, -1.0, -1.0]])
    for _ in range(5):
        here = b.abs(b.scale(here, 3.0))
    net = b.finish(here)
    # 0.2 is twice the stored 0.1: the first value is exactly 0, which float64 finds only by luck.
    assert Walk(net, np.array([[0.1, 0.1, 0.2]])).n_exact == 1
    assert net.affine_at([0.1, 0.1, 0.2]).is_on_face[0]


def test_unit_that_is_zero_on_the_whole_cell_is_off_and_no_face():
    b = Builder((2,))
    h = b.relu(b.dense(0, [[1.0, 2.0], [1.0, 2.0]]))
    net = b.finish(b.relu(b.dense(h, [[1.0, -1.0]])))
    maps = net.affine_at([[1.0, 1.0], [-1.0, -1.0], [2.0, -1.0]])
    assert not maps.A.any()
    assert maps.is_on_face.tolist() == [False, False, True]
    assert net.patterns([1.0, 1.0]).tolist() == [1, 1, 0]


def test_three_candidates_tie():
    b = Builder((2,))
    z = b.dense(0, [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 1.0]], [1.0, 1.0, 0.0, 0.0])
    net = b.finish(b.max_windows(z, [[0, 1, 2, 3]], shape=(1,)))
    assert net.patterns([1.0, 1.0]).tolist() == [0]
    maps = net.affine_at([[1.0, 1.0], [3.0, 3.0]])
    # x + (e, e^2): the first grows by e, the second by e^2, the third by e + e^2; the fourth is the third.
    assert maps.A.tolist() == [[[1.0, 1.0]]] * 2 and maps.is_on_face.tolist() == [True, False]
    assert net.affine_at([1.0, 1.0], ties="torch").A.tolist() == [[[1.0, 0.0]]]
    check(net, [[1.0, 1.0], [3.0, 3.0], [1.0, 0.0], [0.0, 1.0]])


def test_knots_of_clip_units():
    b = Builder((1,))
    net = b.finish(b.clip(b.dense(0, [[1.0], [-1.0]]), -1.0, 1.0))
    X = np.array([[-1.0], [1.0], [0.0], [2.0]])
    assert net.patterns(X).tolist() == [[0, 1], [1, 0], [1, 1], [2, 0]]
    maps = net.affine_at(X)
    assert maps.A[:, :, 0].tolist() == [[1, -1], [0, 0], [1, -1], [0, 0]]
    assert maps.is_on_face.tolist() == [True, True, False, False]
    assert net.affine_at(X, ties="torch").A[:, :, 0].tolist() == [[0, -1], [1, 0], [1, -1], [0, 0]]
    check(net, X)


def image_network(seed: int = 0):
    """Return a network with max windows over relu of an image: black parts make windows of zeros, or all equal."""
    rng = np.random.default_rng(seed)
    b = Builder((1, 6, 6))
    offsets = [(0, 0), (0, 1), (1, 0), (1, 1)]
    weight, index = rng.uniform(-1, 1, (2, 4)), np.arange(36).reshape(6, 6)
    rows = np.zeros((2, 4, 4, 36))
    for c in range(2):
        for i in range(4):
            for j in range(4):
                for (di, dj), w in zip(offsets, weight[c], strict=True):
                    rows[c, i, j, index[i + di, j + dj]] = w
    z = b.dense(0, rows.reshape(32, 36), np.repeat([0.25, -0.25], 16))
    windows = np.arange(32).reshape(2, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(8, 4)
    pooled = b.max_windows(b.relu(z), windows, shape=(8,))
    return b.finish(b.dense(pooled, rng.uniform(-1, 1, (3, 8)), rng.uniform(-1, 1, 3)))


def test_black_images():
    net, rng = image_network(), np.random.default_rng(1)
    images = np.zeros((4, 1, 6, 6))
    images[1, 0, :2, :2] = rng.uniform(0, 1, (2, 2))
    images[2, 0, 3:, 2:] = rng.integers(0, 256, (3, 4)) / 255
    images[3] = 1.0
    faces = check(net, images)
    assert faces == 4
    # Windows of the channel that is off tie at zero, as one function: no perturbation, lowest index.
    assert net.patterns(images[0])[32 + 4 :].tolist() == [0, 0, 0, 0]


def test_outputs_are_selected_in_either_direction():
    for n in (2, 7):
        net = network("generic", 3, n_inputs=n)
        X = np.random.default_rng(0).uniform(-1, 1, (5, n))
        both, last = net.affine_at(X), net.affine_at(X, outputs=1)
        assert last.A.shape == (5, 1, n) and last.b.shape == (5, 1)
        assert np.allclose(last.A[:, 0], both.A[:, 1], atol=1e-15) and np.allclose(
            last.b[:, 0], both.b[:, 1], atol=1e-15
        )
        swapped = net.affine_at(X, [1, 0])
        assert np.allclose(swapped.A, both.A[:, ::-1], atol=1e-15)


@pytest.mark.parametrize("family", ["residual", "overlapping_max", "concatenated", "staircase"])
def test_forward_and_backward_agree(family):
    net = network(family, 0, n_inputs=3, depth=3)
    X = sample(np.random.default_rng(5), 3)
    walk = Walk(net, X, perturb=True)
    chosen = np.arange(net.n_outputs)
    one = affine_at.backward(net, walk.choice, len(X), chosen)
    other = affine_at.forward(net, walk.choice, len(X), chosen)
    for left, right in zip(one, other, strict=True):
        assert np.allclose(left, right, rtol=1e-12, atol=1e-12)


def test_small_batches_change_nothing(monkeypatch):
    net = network("ternary", 1, n_inputs=3, width=5)
    X = sample(np.random.default_rng(2), 3)
    whole = net.patterns(X), net.affine_at(X)
    monkeypatch.setattr("reluatlas.network.batches._WIDE", 1)
    monkeypatch.setattr("reluatlas.network.patterns.perturbation._TERMS_AT_ONCE", 1)
    again = net.patterns(X), net.affine_at(X)
    assert np.array_equal(whole[0], again[0])
    assert np.array_equal(whole[1].A, again[1].A) and np.array_equal(whole[1].is_on_face, again[1].is_on_face)


def test_shapes():
    net = image_network()
    x = np.full((1, 6, 6), 0.5)
    assert net.patterns(x).shape == (40,) and net.patterns(x[None]).shape == (1, 40)
    assert net.patterns(x).dtype == np.uint8
    assert net.affine_at(x).A.shape == (1, 3, 1, 6, 6)
    assert net.affine_at(np.zeros((3, 36)), outputs=[2, 0]).A.shape == (3, 2, 1, 6, 6)
    assert net.affine_at(np.zeros((2, 36)), outputs=[]).A.shape == (2, 0, 1, 6, 6)
    assert net.patterns(np.empty((0, 36))).shape == (0, 40)
    assert len(net.affine_at(np.empty((0, 36)))) == 0


def test_patterns_hold_wide_windows():
    b = Builder((300,))
    net = b.finish(b.max_windows(0, [np.arange(300)], shape=(1,)))
    found = net.patterns(np.arange(300.0))
    assert found.dtype == np.uint16 and found.tolist() == [299]


def test_network_without_units_and_constant_network():
    b = Builder((2,))
    net = b.finish(b.dense(0, [[1.0, 2.0]], [3.0]))
    assert net.patterns([[1.0, 1.0]]).shape == (1, 0)
    maps = net.affine_at([1.0, 1.0])
    assert maps.A.tolist() == [[[1.0, 2.0]]] and maps.b.tolist() == [[3.0]] and not maps.is_on_face[0]
    for ties in ("perturb", "torch"):
        b = Builder((2,))
        flat = b.finish(b.relu(b.constant([0.0, 2.0])))
        maps = flat.affine_at([1.0, 1.0], ties=ties)
        assert not maps.A.any() and maps.b.tolist() == [[0.0, 2.0]] and not maps.is_on_face[0]
        assert flat.patterns([1.0, 1.0]).tolist() == [0, 1]


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e150, 1e300])
def test_extreme_magnitudes(scale):
    b = Builder((2,))
    h = b.relu(b.dense(0, scale * np.array([[1.0, -1.0], [0.1, 0.2], [-1.0, 1.0]])))
    net = b.finish(b.relu(b.dense(h, scale * np.array([[1.0, -1.0, 1.0], [3.0, -0.3, 0.0]]))))
    X = np.array([[1.0, 1.0], [1e-20, 1e-20], [0.3, 0.1], [-2.0, 1.0], [5e-324, 0.0], [1e8, -1e8]])
    for i, x in enumerate(X):
        assert net.patterns(X)[i].tolist() == germ(net, x, perturb=False)[0]
        assert Walk(net, X, perturb=True).on_face[i] == germ(net, x, perturb=True)[2]


def test_bad_arguments():
    net = network("generic", 0)
    with pytest.raises(DimensionError, match="shape"):
        net.patterns(np.zeros((2, 5)))
    with pytest.raises(NonFiniteError, match="NaN"):
        net.affine_at([np.nan, 0.0])
    with pytest.raises(ArgumentError, match="output 2"):
        net.affine_at([0.0, 0.0], outputs=2)
    with pytest.raises(ArgumentError, match="output -1"):
        net.affine_at([0.0, 0.0], outputs=[-1])
    with pytest.raises(ArgumentError, match="whole numbers"):
        net.affine_at([0.0, 0.0], outputs=[0.5])
    with pytest.raises(ArgumentError, match="ties"):
        net.affine_at([0.0, 0.0], ties="first")


def test_many_points_are_quick_and_deterministic():
    rng = np.random.default_rng(0)
    b = Builder((100,))
    h = b.relu(b.dense(0, rng.integers(-1, 2, (64, 100))))
    net = b.finish(b.dense(h, rng.integers(-1, 2, (4, 64))))
    X = rng.integers(0, 256, (2000, 100)) / 255
    X[:500] = 0.0
    first, second = net.affine_at(X), net.affine_at(X)
    assert np.array_equal(first.A, second.A) and np.array_equal(first.is_on_face, second.is_on_face)
    assert first.is_on_face[:500].all()
    assert np.allclose(first(X), net(X), atol=1e-10)
