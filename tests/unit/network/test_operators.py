"""Sparse and convolving operators, against their rows as fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reluatlas.errors import DimensionError
from reluatlas.network import operators as ops
from reluatlas.network.archive import pack_network, unpack_network
from reluatlas.network.build import Builder
from reluatlas.network.maps.compose import FloatRows
from reluatlas.network.network import Convolution, Dense, Gather, Sparse
from reluatlas.network.values.bounded import Bounded, FloatBounds, exactly
from reluatlas.network.values.exact import IntegerArithmetic, compare, dyadic, to_float
from tests.convert import matrix_rows

RNG = np.random.default_rng(5)


def sparse(n_out: int, n_in: int, denominator: int = 1, *, whole: bool = False) -> Sparse:
    keep = RNG.random((n_out, n_in)) < 0.5
    keep[0] = False  # an empty row
    row, column = np.nonzero(keep)
    values = RNG.integers(-5, 6, row.size).astype(float) if whole else RNG.normal(size=row.size)
    return Sparse(np.concatenate([[0], np.cumsum(keep.sum(axis=1))]), column, values, n_in, denominator)


def convolution(groups: int = 1, *, whole: bool = False) -> Convolution:
    # 2 x 3 images, kernel 2 x 2 with padding on the right and below, and one tap that is always on the padding
    image = np.full((3, 4), -1)
    image[:2, :3] = np.arange(6).reshape(2, 3)
    places = np.stack([image[i : i + 2, j : j + 2].reshape(-1) for i in range(2) for j in range(3)])
    weight = RNG.integers(-3, 4, (4, 2, 4)).astype(float) if whole else RNG.normal(size=(4, 2, 4))
    weight[1, 0, :2] = 0.0
    return Convolution(weight, places, 6, groups)


CASES = {
    "sparse": sparse(6, 9),
    "sparse whole": sparse(6, 9, whole=True),
    "ninths": sparse(6, 9, 9, whole=True),
    "thirds of floats": sparse(4, 5, 3),
    "large divisor": sparse(4, 5, 2**35 + 1, whole=True),
    "convolution": convolution(),
    "convolution whole": convolution(whole=True),
    "two groups": convolution(2),
    "dense": Dense(RNG.normal(size=(3, 5))),
    "gather": Gather(np.array([2, -1, 0, 2]), np.array([3.0, 9.0, -1.0, 0.1]), 3),
}


def exact_matrix(operator: ops.LinearOperator) -> list[list[Fraction]]:
    out = [[Fraction(0)] * operator.n_in for _ in range(operator.n_out)]
    for i, row in enumerate(matrix_rows(operator)):
        for j, c in row:
            out[i][j] += c
    return out


def product(matrix: list[list[Fraction]], vector: list[Fraction]) -> list[Fraction]:
    return [sum((c * v for c, v in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


def fractions(vector) -> list[Fraction]:
    return [Fraction(n) * Fraction(2) ** vector.exponent / vector.denominator for n in vector.numbers]


@pytest.mark.parametrize("name", CASES)
def test_float64_products(name):
    operator, matrix = CASES[name], np.array(exact_matrix(CASES[name]), dtype=float)
    x, rows = RNG.normal(size=(3, operator.n_in)), RNG.normal(size=(1, 2, operator.n_out))
    assert np.allclose(ops.apply_operator(operator, x), x @ matrix.T, rtol=1e-13, atol=1e-13)
    assert np.allclose(FloatRows(1, 2).adjoint(operator, rows), rows @ matrix, rtol=1e-13, atol=1e-13)
    assert ops.apply_operator(operator, x[:0]).shape == (0, operator.n_out)
    assert np.allclose(
        ops.apply_operator(ops.mapped(operator, np.square), x), x @ (matrix**2).T, rtol=1e-13, atol=1e-13
    )
    assert ops.terms(operator) >= np.count_nonzero(matrix, axis=1).max()


@pytest.mark.parametrize("name", CASES)
def test_sparse_form_is_the_same_matrix(name):
    assert exact_matrix(ops.as_sparse(CASES[name])) == exact_matrix(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_exact_products(name):
    operator, matrix = CASES[name], exact_matrix(CASES[name])
    arithmetic = IntegerArithmetic()
    x, row = RNG.normal(size=operator.n_in), RNG.normal(size=operator.n_out)
    vector = dyadic(x)._replace(denominator=7)
    expected = product(matrix, [Fraction(v) / 7 for v in x.tolist()])
    assert fractions(arithmetic.apply(operator, vector)) == expected
    assert [fractions(arithmetic.entry(operator, vector, i))[0] for i in range(operator.n_out)] == expected
    turned = [list(column) for column in zip(*matrix, strict=True)]
    assert fractions(arithmetic.adjoint(operator, dyadic(row))) == product(turned, [Fraction(v) for v in row.tolist()])


def test_exact_products_in_chunks(monkeypatch):
    monkeypatch.setattr("reluatlas.network.values.exact._CHUNK", 3)
    test_exact_products("sparse")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["whole", "thirds", "noisy", "tiny"])
def test_bounds_hold(name, kind):
    operator, matrix = CASES[name], exact_matrix(CASES[name])
    turned = [list(column) for column in zip(*matrix, strict=True)]
    cases = [(matrix, operator)]
    if not isinstance(operator, Gather | Dense):
        cases.append((turned, operator.transposed))
    for table, there in cases:
        size = there.n_in
        values = RNG.integers(-4, 5, (2, size)).astype(float)
        values = {"whole": values, "tiny": values * 1e-300}.get(kind, values / 3)
        error = np.full(values.shape, 1e-9) if kind == "noisy" else np.zeros(values.shape)
        found = FloatBounds().apply(there, Bounded(values, error))
        for row, value, bound in zip(values.tolist(), found.value.tolist(), found.error.tolist(), strict=True):
            for sign in (-1, 0, 1):
                wanted = product(table, [Fraction(v) + sign * (Fraction(1e-9) if error.any() else 0) for v in row])
                off = [abs(Fraction(v) - w) for v, w in zip(value, wanted, strict=True)]
                assert all(d <= Fraction(b) for d, b in zip(off, bound, strict=True))


def test_small_whole_numbers_have_no_error():
    x = exactly(np.array([[3.0, 6.0, -9.0, 0.0, 12.0, 3.0, 0.0, 0.0, 27.0]]))
    third = Sparse(np.array([0, 3]), np.array([0, 1, 2]), np.ones(3), 9, 3)
    assert not FloatBounds().apply(CASES["sparse whole"], x).error.any()
    assert FloatBounds().apply(third, x).error.item() == 0.0  # 0 / 3
    sixth = Sparse(np.array([0, 2]), np.array([0, 4]), np.ones(2), 9, 5)
    assert FloatBounds().apply(sixth, x).error.item() == 0.0  # 15 / 5
    assert FloatBounds().apply(Sparse(sixth.indptr, sixth.indices, sixth.values, 9, 7), x).error.item() > 0  # 15 / 7


def test_quotients_as_floats_and_compared():
    for number, exponent, denominator in (
        (1, 0, 3),
        (-(3**60), -200, 9),
        (9, 5, 3),
        (2**200 + 1, -100, 7),
        (5, -1080, 3),
    ):
        value, error = to_float(number, exponent, denominator)
        truth = Fraction(number) * Fraction(2) ** exponent / denominator
        assert abs(Fraction(value) - truth) <= Fraction(error)
        assert (error == 0) == (Fraction(value) == truth)
        assert compare(number, exponent, value, denominator) == (truth > Fraction(value)) - (truth < Fraction(value))


def test_averages_in_a_network_are_decided_exactly():
    # the sum of thirds is 1 exactly where float64 need not say so
    b = Builder((3,))
    third = Sparse(np.array([0, 3]), np.arange(3), np.ones(3), 3, 3)
    net = b.finish(b.relu(b.affine([0], [third], [-0.1], shape=(1,))))
    x = np.array([[0.1, 0.1, 0.1], [0.1, 0.1, np.nextafter(0.1, 1)], [0.1, 0.1, np.nextafter(0.1, 0)]])
    assert net.patterns(x).ravel().tolist() == [0, 1, 0]
    assert np.allclose(net.affine_at(x[1]).A, 1 / 3)


@pytest.mark.parametrize(
    "operator",
    [
        Sparse(np.array([0, 1]), np.array([0]), np.ones(1), 3, 0),
        Sparse(np.array([0, 1]), np.array([0]), np.ones(1), 3, -2),
        Sparse(np.array([0, 1]), np.array([3]), np.ones(1), 3),
        Sparse(np.array([0, 2]), np.array([0]), np.ones(1), 3),
        Sparse(np.array([1, 1]), np.array([0]), np.ones(1), 3),
        Gather(np.array([3]), np.ones(1), 3),
        Gather(np.array([-2]), np.ones(1), 3),
        Gather(np.array([1]), np.ones(2), 3),
        Convolution(np.ones((1, 1, 2)), np.array([[0, 3]]), 3),
        Convolution(np.ones((1, 1, 2)), np.array([[0]]), 3),
        Convolution(np.ones((1, 1, 1)), np.array([[0]]), 3, 0),
    ],
)
def test_arrays_that_do_not_fit_are_refused(operator):
    b = Builder((3,))
    b.affine([0], [operator], shape=(1,))
    with pytest.raises(DimensionError, match=f"{type(operator).__name__} operator"):
        b.finish(1)


@pytest.mark.parametrize("name", CASES)
def test_stored_networks_are_the_same(name):
    operator = CASES[name]
    b = Builder((operator.n_in,))
    net = b.finish(b.affine([0], [operator], shape=(operator.n_out,)))
    again = unpack_network(pack_network(net))
    (kept,) = again.nodes[1].operators
    assert type(kept) is type(operator) and exact_matrix(kept) == exact_matrix(operator)
