"""Hypothesis strategies: small graphs of all node kinds with nasty weights, and domains for them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from reluatlas.domain import Box, Slice
from reluatlas.network.build import Builder
from reluatlas.network.network import Network

NASTY = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 0.1, -0.1, 1 / 3, 1 + 2.0**-52, -1 + 2.0**-53, 1e-6, -1e-12, 2.0**-30, 3.0)
ACTIVATIONS = ("relu", "leaky", "abs", "clip", "staircase", "windows", "maximum", "minimum", "skip", "concat")

_tame = st.floats(-1.0, 1.0, width=32, allow_subnormal=False).map(lambda v: 0.0 if abs(v) < 1e-9 else v)
weights = st.one_of(st.sampled_from(NASTY), _tame)
"""One coefficient: often 0, 1, a near-equal number or a tiny one, so that rows coincide and nearly coincide."""


@st.composite
def layers(draw: st.DrawFn, n_out: int, n_in: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (weight, bias), where later rows are often multiples of earlier ones."""
    rows: list[list[float]] = []
    for _ in range(n_out):
        factor = draw(st.sampled_from([None, None, None, 1.0, -1.0, 0.5, -2.0]))
        if factor is None or not rows:
            rows.append(draw(st.lists(weights, min_size=n_in + 1, max_size=n_in + 1)))
        else:
            row = [factor * v for v in draw(st.sampled_from(rows))]
            row[-1] += draw(st.sampled_from([0.0, 0.0, 1e-6, 1e-12, 2.0**-53]))
            rows.append(row)
    array = np.array(rows, dtype=np.float64)
    return array[:, :-1], array[:, -1]


@st.composite
def networks(draw: st.DrawFn, n_inputs: int = 2, max_layers: int = 3, max_units: int = 4) -> Network:
    """Return a network of 1 to `max_layers` layers, each followed by some cut node, with 1 or 2 outputs."""
    b = Builder((n_inputs,))
    here = 0
    for _ in range(draw(st.integers(1, max_layers))):
        before = here
        z = b.dense(here, *draw(layers(draw(st.integers(1, max_units)), b.size(here))))
        here = _activate(draw, b, z, before)
    return b.finish(b.dense(here, *draw(layers(draw(st.integers(1, 2)), b.size(here)))))


def _activate(draw: st.DrawFn, b: Builder, z: int, before: int) -> int:
    kind, n = draw(st.sampled_from(ACTIVATIONS)), b.size(z)
    if kind == "leaky":
        return b.leaky_relu(z, draw(st.lists(st.sampled_from([0.1, -1.0, 0.0, 1.0]), min_size=n, max_size=n)))
    if kind == "abs":
        return b.abs(z)
    if kind == "clip":
        low = draw(st.sampled_from([-1.0, 0.0, 0.1, -np.inf]))
        return b.clip(z, low, draw(st.sampled_from([1.0, 0.5, 1 / 3])))
    if kind == "staircase":
        return b.breakpoints(z, [-0.5, 0.0, 1.0], [0.0, 1.0, -1.0, 1.0], [-0.5, 0.0, 0.0, -2.0])
    if kind == "windows":
        source = draw(st.sampled_from([z, b.relu(z)]))
        window = st.lists(st.integers(0, n - 1), min_size=1, max_size=3)
        windows = draw(st.lists(window, min_size=1, max_size=3))
        return b.max_windows(source, windows, shape=(len(windows),))
    if kind == "maximum":
        return b.maximum([z, b.scale(z, draw(st.sampled_from([1.0, 0.5, -1.0])))])
    if kind == "minimum":
        return b.minimum([z, b.constant(np.full(n, draw(st.sampled_from([0.0, 0.25, 1.0]))))])
    if kind == "skip" and b.size(before) == n:
        return b.add([before, b.relu(z)], [1.0, draw(st.sampled_from([1.0, -1.0, 0.5]))])
    if kind == "concat":
        return b.concatenate([b.relu(z), b.relu(b.scale(z, -1.0))])
    return b.relu(z)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Return a box in the plane: [-1, 1]^2, one with sides on likely lines, or a thin or shifted one."""
    low = [draw(st.sampled_from([-1.0, 0.0, -0.5, -1 / 3])) for _ in range(2)]
    side = [draw(st.sampled_from([1.0, 2.0, 0.7, 2.0**-10])) for _ in range(2)]
    return Box(low, [a + s for a, s in zip(low, side, strict=True)])


@st.composite
def slices(draw: st.DrawFn, n_inputs: int = 3) -> Slice:
    """Return the graph of an affine map over the first two of `n_inputs` inputs."""
    free = n_inputs - 2
    rows = [draw(st.lists(weights, min_size=free, max_size=free)) for _ in range(3)]
    basis = np.concatenate([np.eye(2), np.array(rows[:2])], axis=1)
    return Slice(np.concatenate([[0.0, 0.0], rows[2]]), basis, box=draw(boxes()))


@st.composite
def problems(draw: st.DrawFn) -> tuple[Network, Box | Slice]:
    """Return a network and a 2-D domain that fit."""
    n = draw(st.sampled_from([2, 2, 2, 3]))
    return draw(networks(n_inputs=n)), draw(boxes() if n == 2 else slices(n_inputs=n))
