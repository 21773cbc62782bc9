"""Are rows independent modulo a prime? Compared with Python's whole numbers, over several panels of elimination."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from reluatlas.arithmetic import modular
from reluatlas.arithmetic.modular import PRIME, independent, product


def whole_product(a, b, prime=PRIME):
    return [
        [sum(x * y for x, y in zip(row, column, strict=True)) % prime for column in b.T.tolist()] for row in a.tolist()
    ]


def determinant(rows: list[list[int]], prime: int) -> int:
    """Return a determinant modulo a prime, by elimination in Python's whole numbers."""
    rows, out = [list(row) for row in rows], 1
    for c in range(len(rows)):
        at = next((r for r in range(c, len(rows)) if rows[r][c] % prime), None)
        if at is None:
            return 0
        if at != c:
            rows[c], rows[at], out = rows[at], rows[c], -out
        out = out * rows[c][c] % prime
        inverse = pow(rows[c][c], -1, prime)
        for r in range(c + 1, len(rows)):
            factor = rows[r][c] * inverse % prime
            if factor:
                rows[r] = [(v - factor * w) % prime for v, w in zip(rows[r], rows[c], strict=True)]
    return out % prime


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 2), (20, 33, 41), (0, 3, 2)])
@pytest.mark.parametrize("top", [2, PRIME])
def test_products_are_those_of_whole_numbers(shape, top):
    rng = np.random.default_rng(0)
    n, k, m = shape
    a, b = rng.integers(0, top, (n, k)), rng.integers(0, top, (k, m))
    if a.size:
        a[0], b[:, 0] = top - 1, top - 1
    expected = np.array(whole_product(a, b)).reshape(n, m)
    assert np.array_equal(product(a, b), expected)
    assert np.array_equal(product(a, csr_array(b)), expected)


def test_largest_sums_of_a_product_do_not_overflow():
    n = 40_000
    a, b = np.full((1, n), PRIME - 1), np.full((n, 1), PRIME - 1)
    assert product(a, b).tolist() == [[n * (PRIME - 1) ** 2 % PRIME]]


def test_rows_that_take_turns_in_memory_give_the_same(monkeypatch):
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, PRIME, (50, 60)), rng.integers(0, PRIME, (60, 10))
    expected = product(a, b)
    monkeypatch.setattr(modular, "_AT_ONCE", 64)
    monkeypatch.setattr(modular, "_TERMS", 7)
    assert np.array_equal(product(a, b), expected)
    assert np.array_equal(product(a, csr_array(b)), expected)


@pytest.mark.parametrize("panel", [1, 4, 100])
@pytest.mark.parametrize("shape", [(1, 1), (6, 6), (9, 30), (25, 26)])
def test_the_columns_of_a_proof_have_a_determinant_that_is_not_zero(monkeypatch, shape, panel):
    monkeypatch.setattr(modular, "_PANEL", panel)
    rng = np.random.default_rng(sum(shape))
    for zeros in (0.0, 0.6):
        rows = np.where(rng.random(shape) < zeros, 0, rng.integers(0, PRIME, shape))
        proof = independent(rows)
        if proof is None:
            assert shape[0] == shape[1] and determinant(rows.tolist(), PRIME) == 0
            continue
        assert len(set(proof.columns.tolist())) == shape[0]
        assert determinant(rows[:, proof.columns].tolist(), PRIME) != 0


@pytest.mark.parametrize("panel", [2, 5])
def test_dependent_rows_have_no_proof(monkeypatch, panel):
    monkeypatch.setattr(modular, "_PANEL", panel)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, PRIME, (12, 40))
    rows[11] = (3 * rows[0] + 5 * rows[7]) % PRIME
    assert independent(rows) is None
    assert independent(rows[:11]) is not None
    assert independent(rng.integers(0, PRIME, (5, 4))) is None
