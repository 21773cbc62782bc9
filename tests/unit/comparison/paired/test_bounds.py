"""Bounds of every unit's difference, on many boxes at once, hold at points where float64 is exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.comparison.paired.bounds import Bounder
from reluatlas.comparison.paired.layers import Layers, alone, paired
from reluatlas.network.network import Network
from reluatlas.network.operators import Convolution, Dense
from reluatlas.network.record import Affine, Breakpoints, Input, Max

N = 100_000
RELU = np.zeros((1, 1)), np.array([[0.0, 1.0]]), np.zeros((1, 2))


def eighths(rng, *shape):
    """Return numbers of few bits: sums and products of these are exact in float64, layers deep."""
    return rng.integers(-8, 9, shape) / 8.0


def units(source: int, n: int) -> Breakpoints:
    return Breakpoints(source, *(np.tile(table, (n, 1)) for table in RELU), shape=(n,))


def dense(rng) -> list:
    return [
        Input((3,)), Affine((0,), (Dense(eighths(rng, 6, 3)),), eighths(rng, 6), (6,)), units(1, 6),
        Affine((2,), (Dense(eighths(rng, 5, 6)),), eighths(rng, 5), (5,)), units(3, 5),
        Affine((4,), (Dense(eighths(rng, 2, 5)),), eighths(rng, 2), (2,)),
    ]  # fmt: skip


def residual(rng) -> list:
    return [
        Input((3,)), Affine((0,), (Dense(eighths(rng, 5, 3)),), eighths(rng, 5), (5,)), units(1, 5),
        Affine((2,), (Dense(eighths(rng, 5, 5)),), eighths(rng, 5), (5,)), units(3, 5),
        Affine((2, 4), (Dense(eighths(rng, 4, 5)), Dense(eighths(rng, 4, 5))), eighths(rng, 4), (4,)), units(5, 4),
        Affine((6, 0), (Dense(eighths(rng, 2, 4)), Dense(eighths(rng, 2, 3))), eighths(rng, 2), (2,)),
    ]  # fmt: skip


def convolution(rng) -> list:
    places = np.array([[0, 1], [1, 2], [2, 3], [3, -1]])
    return [
        Input((4,)), Affine((0,), (Convolution(eighths(rng, 3, 1, 2), places, 4),), eighths(rng, 12), (12,)),
        units(1, 12), Max(2, np.arange(0, 13, 2), np.arange(12), (6,)),
        Affine((3,), (Dense(eighths(rng, 4, 6)),), eighths(rng, 4), (4,)), units(4, 4),
        Affine((5,), (Dense(eighths(rng, 2, 4)),), eighths(rng, 2), (2,)),
    ]  # fmt: skip


def windows(rng) -> list:
    return [
        Input((2,)), Affine((0,), (Dense(eighths(rng, 7, 2)),), eighths(rng, 7), (7,)),
        Max(1, np.array([0, 3, 5, 6]), np.array([0, 1, 2, 3, 4, 6]), (3,)),
        Affine((2,), (Dense(eighths(rng, 4, 3)),), eighths(rng, 4), (4,)), Max(3, np.array([0, 4]), np.arange(4), (1,)),
        Affine((4,), (Dense(eighths(rng, 2, 1)),), eighths(rng, 2), (2,)),
    ]  # fmt: skip


KINDS = {"dense": dense, "residual": residual, "convolution": convolution, "windows": windows}


def network(kind: str, seed: int) -> Network:
    nodes = KINDS[kind](np.random.default_rng(seed))
    return Network(tuple(nodes), len(nodes) - 1)


def changed(net: Network, how: str, seed: int) -> Network:
    """Return a network with other weights of the same kind: all others, a few other, or all a little other."""
    rng = np.random.default_rng(seed)

    def change(w):
        if how == "other":
            return eighths(rng, *w.shape)
        if how == "pruned":
            return np.where(np.abs(w) <= 0.25, 0.0, w)
        return w + rng.integers(-1, 2, w.shape) / 256.0

    nodes = []
    for node in net.nodes:
        if isinstance(node, Affine):
            operators = tuple(replace(o, weight=change(o.weight)) for o in node.operators)  # type: ignore[type-var]
            node = replace(node, operators=operators)
        nodes.append(node)
    return replace(net, nodes=tuple(nodes))


def upto(layers: Layers, node: int) -> Layers:
    return replace(layers, nodes=layers.nodes[: node + 1], output=node)


def boxes(k: int, n: int):
    rng = np.random.default_rng(5)
    middle, half = rng.integers(-48, 49, (n, k)) / 64.0, 2.0 ** -rng.integers(0, 7, (n, 1)) * np.ones((n, k))
    return middle - half, middle + half


@pytest.mark.parametrize("how", ["rounded", "pruned", "other"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_unit_differs_by_more(kind, how):
    f = network(kind, 1)
    g = changed(f, how, 2)
    layers = paired(f, g)
    assert layers is not None
    low, high = boxes(f.n_inputs, 5)
    rng = np.random.default_rng(3)
    steps = rng.integers(0, 65, (N // 5, f.n_inputs))
    for node in range(1, len(f.nodes)):
        found = Bounder(upto(layers, node), ra.Box(-2, 2, dim=f.n_inputs))(low, high)
        tight = np.inf
        for b in range(5):
            X = low[b] + steps / 64.0 * (high[b] - low[b])
            apart = value(f, node, X) - value(g, node, X)
            assert np.all(found.low[b] <= apart) and np.all(apart <= found.high[b])
            reach = np.maximum(-found.low[b], found.high[b]).max()
            tight = min(tight, reach / max(np.abs(apart).max(), 1e-300))
        if how == "rounded":
            assert tight < 3.0  # and it says something: within a factor of what is attained, on some box


def value(net: Network, node: int, X):
    """Return a node's tensor at points, by a forward pass of its own, in which nothing is rounded."""
    done = []
    for here in net.nodes[: node + 1]:
        if isinstance(here, Input):
            done.append(X)
        elif isinstance(here, Affine):
            done.append(
                here.bias + sum(done[s] @ matrix(o).T for s, o in zip(here.inputs, here.operators, strict=True))
            )
        elif isinstance(here, Breakpoints):
            done.append(np.maximum(done[here.input], 0.0))
        else:
            parts = np.split(here.candidates, here.offsets[1:-1])
            done.append(np.stack([done[here.input][:, part].max(axis=1) for part in parts], axis=1))
    return done[node]


def matrix(operator):
    if isinstance(operator, Dense):
        return operator.weight
    n = operator.n_positions
    out = np.zeros((operator.n_out, operator.n_in))
    for o in range(operator.weight.shape[0]):
        for p, taps in enumerate(operator.places):
            for t, place in enumerate(taps):
                if place >= 0:
                    out[o * len(operator.places) + p, place] += operator.weight[o, 0, t]
    assert out.shape[1] == n
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_equal_networks_differ_by_nothing_anywhere(kind):
    f, g = network(kind, 1), network(kind, 1)
    layers = paired(f, g)
    assert layers is not None
    found = Bounder(layers, ra.Box(-1, 1, dim=f.n_inputs))(*boxes(f.n_inputs, 5))
    assert not found.low.any() and not found.high.any()


def test_pairs_are_bounded_far_better_than_one_by_one():
    rng = np.random.default_rng(0)
    sizes = (4, 40, 40, 40, 2)
    layers = [(rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m)) for n, m in pairwise(sizes)]
    f = ra.load(layers)
    g = ra.load([(w.astype(np.float16).astype(np.float64), b) for w, b in layers])
    box = ra.Box(-1, 1, dim=4)
    together = paired(f, g)
    assert together is not None
    low, high = box.low[None], box.high[None]
    pairs, one = Bounder(together, box)(low, high), Bounder(alone(ra.difference(f, g)), box)(low, high)
    assert 20 * pairs.high.max() < one.high.max()


@pytest.mark.parametrize(
    ("f", "g"),
    [
        (network("dense", 1), network("residual", 1)),
        (ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))]),
         ra.load([(np.ones((3, 2)), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])),
    ],
)  # fmt: skip
def test_layers_of_other_sizes_do_not_correspond(f, g):
    assert paired(f, g) is None


def test_a_slice_is_bounded_as_the_box_around_it_is_not():
    f = network("dense", 1)
    layers = paired(f, changed(f, "rounded", 2))
    assert layers is not None
    basis = np.array([[1.0, 0.5, 0.0], [0.0, -0.25, 1.0]])
    plane = ra.Slice(np.array([0.25, -0.5, 0.125]), basis, box=ra.Box(-1, 1, dim=2))
    found = Bounder(layers, plane)(plane.box.low[None], plane.box.high[None])
    U = np.random.default_rng(0).integers(-64, 65, (N, 2)) / 64.0
    X = np.asarray(plane.embed(U))
    node = len(f.nodes) - 1
    apart = value(f, node, X) - value(changed(f, "rounded", 2), node, X)
    assert np.all(found.low[0] <= apart) and np.all(apart <= found.high[0])


def test_where_units_are_said_to_be_on_or_off_bounds_hold():
    f = network("dense", 1)
    g = changed(f, "rounded", 2)
    layers = paired(f, g)
    assert layers is not None
    box = ra.Box(-1, 1, dim=3)
    bounder = Bounder(layers, box)
    low, high = box.low[None], box.high[None]
    whole = bounder(low, high)
    bend = whole.bends[0]
    assert bend.unit >= 0
    X = np.random.default_rng(0).integers(-64, 65, (N, 3)) / 64.0
    y, z = value(f, 1, X)[:, bend.unit], value(g, 1, X)[:, bend.unit]
    node = len(f.nodes) - 1
    apart = value(f, node, X) - value(g, node, X)
    for on in (0, 1):
        fixed = np.full((1, 2, bounder.n_units), -1, dtype=np.int8)
        fixed[0, :, bend.unit] = on
        part = bounder(low, high, fixed)
        assert part.bends[0].unit != bend.unit
        here = ((y >= 0) & (z >= 0)) if on else ((y <= 0) & (z <= 0))
        assert here.any()
        assert np.all(part.low[0] <= apart[here]) and np.all(apart[here] <= part.high[0])
