"""Composed weights of local networks are as near to the exact ones as their sizes say, however those are found."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.network.build import Builder
from reluatlas.network.operators import Convolution, Dense
from reluatlas.network.record import Breakpoints, Graph, Max
from reluatlas.subdivision.local import compose
from reluatlas.subdivision.local.compose import Rows
from reluatlas.subdivision.local.rounding import Lost
from reluatlas.subdivision.program.error_bounds import roundings
from reluatlas.testing import zoo
from tests.convert import to_nodes
from tests.oracles import plain

Form = dict[Any, Fraction]
"""A weight for each name: a coordinate, the constant, or a kept unit."""


def added(*parts: tuple[Fraction, Form]) -> Form:
    """Return the sum of multiples of forms."""
    out: Form = {}
    for factor, form in parts:
        for name, weight in form.items():
            out[name] = out.get(name, Fraction(0)) + factor * weight
    return out


def exactly_composed(net: Graph, pattern: np.ndarray, kept: Mapping[int, np.ndarray]) -> list[list[Form]]:
    """Return each entry of each tensor as an exact sum of coordinates, a constant, and kept units (node, unit)."""
    slices, done = net.pattern_slices(), []
    for t, node in enumerate(to_nodes(net)):
        if isinstance(node, plain.Input):
            done.append([{c: Fraction(1)} for c in range(node.size)])
        elif isinstance(node, plain.Affine):
            parts: list[list[tuple[Fraction, Form]]] = [[(Fraction(b), {"one": Fraction(1)})] for b in node.bias]
            for source, rows in node.terms:
                for i, row in enumerate(rows):
                    parts[i] += [(Fraction(c), done[source][j]) for j, c in row]
            done.append([added(*part) for part in parts])
        else:
            piece = pattern[slices[t]]
            out: list[Form] = []
            for i, p in enumerate(piece.tolist()):
                if i in kept[t]:
                    out.append({(t, i): Fraction(1)})
                elif isinstance(node, plain.Breakpoints):
                    parts_ = (Fraction(node.slopes[i][p]), done[node.source][i])
                    out.append(added(parts_, (Fraction(node.intercepts[i][p]), {"one": Fraction(1)})))
                else:
                    out.append(done[node.source][node.windows[i][p]])
            done.append(out)
    return done


def names(net: Graph, kept: Mapping[int, np.ndarray]) -> list[Any]:
    """Return what the rows of composed weights belong to, in their order."""
    return [*range(net.n_inputs), "one", *((t, int(i)) for t in net.cuts for i in kept[t])]


def assert_within(net: Graph, pattern: np.ndarray, kept: Mapping[int, np.ndarray], found: Mapping[int, Rows]) -> int:
    """Check all weights and sizes against the exact ones; return how many weights are rounded."""
    exact, every, n_roundings, n_off = (
        exactly_composed(net, pattern, kept), names(net, kept), roundings(net), 0,
    )  # fmt: skip
    for key, rows in found.items():
        t, entries = net.output, np.arange(rows.weight.shape[1])
        if key != compose.OUTPUT:
            node = net.nodes[key]
            assert isinstance(node, Breakpoints | Max)
            t = node.input
            entries = kept[key] if isinstance(node, Breakpoints) else compose.entries_of(node, kept[key])
        for c, entry in enumerate(entries.tolist()):
            form = exact[t][entry]
            for r in range(rows.weight.shape[0]):
                true, weight, size = form.get(every[r], Fraction(0)), rows.weight[r, c], rows.size[r, c]
                off = abs(true - Fraction(float(weight)))
                assert off <= n_roundings[t] * Fraction(1, 2**53) * Fraction(float(size))
                assert abs(weight) <= size
                n_off += off > 0
    return n_off


def random_choice(net: Graph, rng: np.random.Generator) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return a piece for each unit, and some units to keep; all candidates that cuts give to a kept window, too."""
    pieces, is_kept = [], {}
    for t in net.cuts:
        node = net.nodes[t]
        if isinstance(node, Breakpoints):
            most = np.isfinite(node.knots).sum(axis=1)
        else:
            assert isinstance(node, Max)
            most = np.diff(node.offsets) - 1
        pieces.append(rng.integers(0, most + 1))
        is_kept[t] = rng.random(most.size) < 0.2
    for t in reversed(net.cuts):
        node = net.nodes[t]
        if isinstance(node, Max) and node.input in is_kept:
            for w in np.flatnonzero(is_kept[t]):
                is_kept[node.input][node.candidates[node.offsets[w] : node.offsets[w + 1]]] = True
    pattern = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)
    return pattern, {t: np.flatnonzero(k) for t, k in is_kept.items()}


def both(net: Graph, pattern: np.ndarray, kept: Mapping[int, np.ndarray]) -> tuple[dict[int, Rows], dict[int, Rows]]:
    """Return the rows with sizes along all paths, and with errors that are followed."""
    box = ra.Box(-1, 1, dim=net.n_inputs)
    plainly = compose._composed(net, box, pattern, kept, None)
    return plainly, compose._composed(net, box, pattern, kept, Lost(net, pattern, kept))


@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_weights_are_within_their_bounds(family):
    n_off = 0
    for seed in range(12):
        net = zoo.FAMILIES[family](seed)
        pattern, kept = random_choice(net, np.random.default_rng(seed))
        plainly, followed = both(net, pattern, kept)
        n_off += assert_within(net, pattern, kept, plainly)
        assert_within(net, pattern, kept, followed)
        for key, rows in plainly.items():
            assert np.array_equal(rows.weight, followed[key].weight)
            assert np.all(followed[key].size <= rows.size)
    assert n_off > 0 or family in ("ternary", "eight_bit", "concat", "residual", "pruned")


def images(depth: int, seed: int) -> Graph:
    """Return a residual network of convolutions on 3 x 3 images, with max windows at the end."""
    rng = np.random.default_rng(seed)
    place = np.array([
        [-1 if not (0 <= r + i < 3 and 0 <= c + j < 3) else 3 * (r + i) + c + j for i in (-1, 0, 1) for j in (-1, 0, 1)]
        for r in range(3) for c in range(3)
    ])  # fmt: skip
    b = Builder((2, 3, 3))
    here = 0
    for _ in range(depth):
        operator = Convolution(rng.normal(size=(2, 2, 9)) / 4, place, 9)
        inner = b.relu(b.affine([here], [operator], rng.normal(size=18) / 4, shape=(2, 3, 3)))
        again = Convolution(rng.normal(size=(2, 2, 9)) / 4, place, 9)
        here = b.relu(b.affine([inner, here], [again, Dense(np.eye(18))], rng.normal(size=18) / 4, shape=(2, 3, 3)))
    top = b.max_windows(here, [[0, 1, 3], [9, 10, 12], [4, 13]], shape=(3,))
    return b.finish(b.dense(top, rng.normal(size=(2, 3)), rng.normal(size=2)))


def deep(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    sizes = [3, *[12] * 9, 2]
    layers = [(rng.normal(size=(m, n)) * np.sqrt(2 / n), rng.normal(size=m) / 10) for n, m in pairwise(sizes)]
    return ra.load(layers)


@pytest.mark.parametrize("make", [lambda seed: images(4, seed), deep], ids=["residual", "dense"])
def test_in_deep_networks_errors_are_followed_and_far_smaller(make):
    gains = []
    for seed in range(3):
        net = make(seed)
        pattern, kept = random_choice(net, np.random.default_rng(seed))
        few = {t: own if isinstance(net.nodes[t], Max) or t in net.cuts[-2:] else own[:2] for t, own in kept.items()}
        plainly, followed = both(net, pattern, few)
        assert assert_within(net, pattern, few, followed) > 100
        ratio = plainly[compose.OUTPUT].size / np.where(
            plainly[compose.OUTPUT].size > 0, followed[compose.OUTPUT].size, np.inf
        )
        gains.append(ratio.max(initial=0.0))
    assert max(gains) > 5
