"""Convolutions are composed in blocks of rows, and cut alike."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.compiled.structs import pack
from reluatlas.importers.load import load
from reluatlas.network.network import Affine, Convolution
from reluatlas.network.operators import Sparse, as_sparse
from reluatlas.subdivision.path.composition import new_state, restore_path
from reluatlas.subdivision.program.blocks import LANES, row_blocks
from reluatlas.subdivision.program.lower import lower
from tests.architectures import Graph
from tests.compare import assert_laws, assert_matches_oracle


def wide(seed: int, channels: int, *, whole: bool = False):
    """Return a network with two wide convolutions, a residual sum and a max-pool on ReLUs."""
    g = Graph(seed, whole=whole)
    x = g.add("Relu", g.conv("x", 2, channels, 2))
    y = g.add("Relu", g.conv(x, channels, channels, 3, pads=[1, 1, 1, 1]))
    y = g.add("Relu", g.add("Add", g.conv(y, channels, channels, 3, pads=[1, 1, 1, 1]), x))
    return load(g.model(g.head(g.add("MaxPool", y, kernel_shape=[2, 2]), channels), (2, 3, 3)))


def plane(seed: int, *, whole: bool = False) -> ra.Slice:
    rng = np.random.default_rng(seed)
    points = rng.integers(-4, 5, (3, 18)) / 4 if whole else rng.normal(size=(3, 18))
    return ra.Slice.through(np.asarray(points, dtype=np.float64), margin=0.3)


def matrix_of(blocks, n_out, n_in):
    matrix = np.zeros((n_out, n_in))
    for g in range(blocks.at.size):
        rows = blocks.row[blocks.row_ptr[g] : blocks.row_ptr[g + 1]]
        columns = blocks.col[blocks.col_ptr[g] : blocks.col_ptr[g + 1]]
        width = -(-rows.size // LANES) * LANES
        part = blocks.weight[blocks.at[g] :][: columns.size * width].reshape(columns.size, width)
        assert not part[:, rows.size :].any() and (np.diff(columns) > 0).all()
        matrix[np.ix_(rows, columns)] += part[:, : rows.size].T
    return matrix


@pytest.mark.parametrize("channels", [5, 8, 19])
def test_blocks_are_the_matrix_and_share_their_weights(channels):
    operators = [o for n in wide(0, channels).nodes if isinstance(n, Affine) for o in n.operators]
    convolutions = [as_sparse(o) for o in operators if isinstance(o, Convolution)]
    assert len(convolutions) == 3
    for operator in convolutions:
        blocks = row_blocks(operator)
        assert blocks is not None
        assert np.array_equal(matrix_of(blocks, operator.n_out, operator.n_in), operator.numerators.toarray())
    first = row_blocks(convolutions[0])
    assert first is not None and first.at.size == 4 and len(set(first.at)) == 1


def test_rows_that_read_different_entries_make_no_blocks():
    assert row_blocks(Sparse(np.arange(6), np.arange(5), np.ones(5), 5)) is None


def test_entries_in_any_order_and_a_denominator():
    order, values = np.array([3, 1, 1, 3, 1, 3, 3, 1]), np.arange(1.0, 9.0)
    blocks = row_blocks(Sparse(np.arange(0, 9, 2), order, values, 5, 3))
    assert blocks is not None and blocks.at.size == 1
    expected = np.zeros((4, 5))
    expected[np.repeat(np.arange(4), 2), order] = values / 3
    assert np.array_equal(matrix_of(blocks, 4, 5), expected)


@pytest.mark.parametrize("channels", [5, 19])
def test_composed_rows_are_the_network(channels):
    net, domain = wide(1, channels), plane(1)
    lowered = lower(net, domain)
    program = lowered.program
    state = new_state(program)
    rng = np.random.default_rng(0)
    worst = 0.0
    for u in rng.uniform(domain.box.low, domain.box.high, (20, 2)):
        x = domain.embed(u[None])
        pieces = net.patterns(x.reshape(1, *net.input_shape))[0].astype(np.int32)
        restore_path(lowered.packed, pack(state), len(program.cut), pieces)
        out = slice(program.off[net.output], program.off[net.output + 1])
        found = state.rows[:2, out].T @ u + state.rows[2, out]
        worst = max(worst, np.abs(found - net(x.reshape(1, *net.input_shape))[0]).max())
    assert 0 < worst < 1e-10


@pytest.mark.parametrize("whole", [False, True], ids=["float", "whole"])
@pytest.mark.parametrize("channels", [4, 9])
def test_wide_convolutions_equal_the_oracle(channels, whole):
    g = Graph(channels, whole=whole)
    x = g.add("Relu", g.conv("x", 2, channels, 2))
    net = load(g.model(g.head(g.add("Relu", g.conv(x, channels, channels, 2)), channels), (2, 3, 3)))
    cx = ra.enumerate_cells(net, plane(channels, whole=whole))
    assert cx.n_cells > 20
    assert_matches_oracle(cx)


@pytest.mark.parametrize("seed", range(2))
def test_wide_residual_networks_obey_the_laws(seed):
    net, domain = wide(seed, 8), plane(seed)
    cx = ra.enumerate_cells(net, domain)
    assert cx.n_cells > 200
    assert_laws(cx)
    assert ra.count_cells(net, domain).n_cells == cx.n_cells
