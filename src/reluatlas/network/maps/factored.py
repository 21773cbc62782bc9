"""What are the affine maps of a network with one hidden layer, without writing them out? Patterns and two matrices.

On the cell with slopes s and intercepts t of its hidden units, row c of A is (V[c] * s) W, and b is
V (s * a + t) + d: a masked row of the last weights times the first ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.network.maps.affine_at import chosen_outputs, patterns
from reluatlas.network.operators import Dense, FloatArray, apply_operator
from reluatlas.network.record import Affine, Breakpoints, Graph, Shape


@dataclass(frozen=True, eq=False)
class FactoredMaps:
    """N affine maps of a network `x -> V h(W x + a) + d` with h units long: h numbers a map instead of n + 1.

    Attributes
    ----------
    patterns : ndarray of int, shape (N, h)
        Piece of each hidden unit.
    first : ndarray, shape (h, n + 1)
        Weights W of the hidden layer, and its biases a in the last column.
    last : ndarray, shape (m, h + 1)
        Weights V of the chosen outputs, and their biases d in the last column.
    slopes, intercepts : ndarray, shape (h, pieces)
        Of each hidden unit on each of its pieces.
    input_shape : tuple of int
    """

    patterns: NDArray[np.integer]
    first: FloatArray
    last: FloatArray
    slopes: FloatArray
    intercepts: FloatArray
    input_shape: Shape

    def __len__(self) -> int:
        return self.patterns.shape[0]

    def rows(self, index: int | slice | NDArray) -> AffineMaps:
        """Return the maps `index` written out."""
        slope, shift = self._pieces(np.atleast_1d(np.arange(len(self))[index]))
        V, d = self.last[:, :-1], self.last[:, -1]
        masked = V[None] * slope[:, None, :]
        written = (masked.reshape(-1, masked.shape[2]) @ self.first).reshape(*masked.shape[:2], -1)
        b = written[:, :, -1] + shift @ V.T + d
        return AffineMaps(written[:, :, :-1].reshape(*written.shape[:2], *self.input_shape), b)

    @property
    def A(self) -> FloatArray:
        """All linear parts written out, (N, m, *input_shape)."""
        return self.rows(slice(None)).A

    @property
    def b(self) -> FloatArray:
        """All constants, (N, m); nothing of A is written out."""
        slope, shift = self._pieces(np.arange(len(self)))
        return (slope * self.first[:, -1] + shift) @ self.last[:, :-1].T + self.last[:, -1]

    def __call__(self, X: ArrayLike) -> FloatArray:
        """Return the value of map i at point i, (N, m), from the factors.

        Raises
        ------
        DimensionError
            When `X` is not one point per map.
        """
        return self.products(X) + self.b

    def products(self, X: ArrayLike) -> FloatArray:
        """Return the inner products of the rows of map i with point i, (N, m), without constants.

        Raises
        ------
        DimensionError
            When `X` is not one point per map.
        """
        n = self.first.shape[1] - 1
        points = np.asarray(X, dtype=np.float64)
        if points.shape not in ((len(self), n), (len(self), *self.input_shape)):
            raise DimensionError(
                f"`X` has shape {points.shape}; expected {(len(self), *self.input_shape)}: one point per map."
            )
        slope, _ = self._pieces(np.arange(len(self)))
        return (slope * (points.reshape(len(self), n) @ self.first[:, :-1].T)) @ self.last[:, :-1].T

    def distances(self, i: ArrayLike, j: ArrayLike, output: int = 0) -> FloatArray:
        """Return the Euclidean distances of the vectors (row of A, b) of one output between maps i and maps j.

        With u = V[c] * (s_i - s_j) it is the norm of u in the metric of the Gram matrix of [W, a], with the
        intercepts added to the last coordinate. No row of A is written out.

        Parameters
        ----------
        i, j : array_like of int, shape (k,)
        output : int
            Position in the chosen outputs.

        Returns
        -------
        ndarray, shape (k,)
        """
        left, right = np.atleast_1d(np.asarray(i)), np.atleast_1d(np.asarray(j))
        if not 0 <= output < self.last.shape[0]:
            raise ArgumentError(f"`output={output}` is not one of the {self.last.shape[0]} chosen outputs, from 0 on.")
        (s, t), (s_other, t_other) = self._pieces(left), self._pieces(right)
        u = self.last[output, :-1] * (s - s_other)
        shift = (t - t_other) @ self.last[output, :-1]
        squares = np.einsum("kh,kh->k", u @ self.gram, u) + shift * (2 * (u @ self.first[:, -1]) + shift)
        return np.sqrt(np.maximum(squares, 0.0))

    @cached_property
    def gram(self) -> FloatArray:
        """The inner products of the rows of [W, a], (h, h)."""
        return self.first @ self.first.T

    def _pieces(self, index: NDArray) -> tuple[FloatArray, FloatArray]:
        unit, piece = np.arange(self.first.shape[0]), self.patterns[index]
        return self.slopes[unit, piece], self.intercepts[unit, piece]


def factored_affine_at(
    network: Graph, X: ArrayLike, outputs: Sequence[int] | int | None = None, *, memory: int | None = None
) -> FactoredMaps:
    """Return the affine maps at points in factored form: of a network with one hidden layer.

    Parameters
    ----------
    X, outputs, memory
        As in `affine_at`.

    Returns
    -------
    FactoredMaps
        The maps of the pieces that evaluation is on (`patterns`): off a face those of `affine_at`, on a face a ReLU
        that is at 0 is off, as with `ties="torch"`.

    Raises
    ------
    ArgumentError
        When the network is not of the form affine, activations, affine.

    Guarantees
    ----------
    The pieces are exact. About one product of the points with the first weights.
    """
    hidden, kind, last = _layers(network)
    chosen = chosen_outputs(network, outputs)
    V, W = _matrix(last)[chosen], _matrix(hidden)
    return FactoredMaps(
        np.atleast_2d(patterns(network, X, memory=memory)),
        np.hstack([W, hidden.bias[:, None]]), np.hstack([V, last.bias[chosen, None]]),
        kind.slopes, kind.intercepts, network.input_shape,
    )  # fmt: skip


def _layers(network: Graph) -> tuple[Affine, Breakpoints, Affine]:
    last = network.nodes[network.output]
    kind = network.nodes[last.inputs[0]] if isinstance(last, Affine) and len(last.inputs) == 1 else None
    hidden = network.nodes[kind.input] if isinstance(kind, Breakpoints) else None
    if len(network.cuts) == 1 and isinstance(hidden, Affine) and hidden.inputs == (0,):
        assert isinstance(kind, Breakpoints) and isinstance(last, Affine)
        return hidden, kind, last
    raise ArgumentError(
        f"`{network.source}` has no factored maps: they exist for one hidden layer (affine, activations, affine), and "
        f"this network has {len(network.cuts)} nodes with pieces. Use `affine_at`."
    )


def _matrix(node: Affine) -> FloatArray:
    operator = node.operators[0]
    if isinstance(operator, Dense):
        return operator.weight
    return np.ascontiguousarray(apply_operator(operator, np.eye(operator.n_in)).T)
