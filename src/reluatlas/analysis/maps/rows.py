"""How are a network's affine maps read, output by output and block by block? Written out, or as features times a basis.

The vector of a map and an output is the row of A and then b. One hidden layer gives it as features (the slopes of the
hidden units, h numbers that all outputs share) times a basis of h + 1 vectors; written out, the features are the
vector itself.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError
from reluatlas.network.maps.factored import FactoredMaps
from reluatlas.network.network import Affine, Breakpoints, Network
from reluatlas.progress import total_of
from reluatlas.typing import FloatArray

Maps: TypeAlias = AffineMaps | FactoredMaps

_BLOCK_BYTES = 2**27


class MapRows:
    """The vectors (row of A, b) of N maps.

    Attributes
    ----------
    n_maps, n_outputs, n_inputs : int
    n_features : int
        Numbers per map and output that `features` gives.
    shares_features : bool
        Whether the features of all outputs are the same.
    """

    n_maps: int
    n_outputs: int
    n_inputs: int
    n_features: int
    shares_features: bool
    _vectors: list[FloatArray] | None

    def __init__(self, maps: Maps) -> None:
        self._maps = maps
        self.n_maps = len(maps)
        if isinstance(maps, FactoredMaps):
            self.n_outputs, self.n_inputs = maps.last.shape[0], maps.first.shape[1] - 1
            self.shares_features = True
            self._vectors = _bases(maps)
            self.n_features = self._vectors[0].shape[0] if self._vectors else 0
        else:
            self.n_outputs, self.n_inputs = maps.b.shape[1], prod(maps.A.shape[2:])
            self.shares_features = False
            self._vectors = None
            self.n_features = self.n_inputs + 1

    @property
    def unit(self) -> float:
        """Relative rounding of the numbers as they are stored."""
        kind = np.dtype(np.float64) if isinstance(self._maps, FactoredMaps) else self._maps.A.dtype
        return float(np.finfo(kind).eps)

    def features(self, index: slice | NDArray, output: int, dtype: Any = np.float64) -> NDArray[Any]:
        """Return the features of some maps, (k, n_features), in memory of their own."""
        maps = self._maps
        if isinstance(maps, FactoredMaps):
            unit, piece = np.arange(maps.first.shape[0]), maps.patterns[index]
            shift = (maps.intercepts[unit, piece],) if maps.intercepts.any() else ()
            return np.concatenate(
                [maps.slopes[unit, piece], *shift, np.ones((piece.shape[0], 1))], axis=1, dtype=dtype, casting="unsafe"
            )
        linear, constant = maps.A[index, output], maps.b[index, output]
        out = np.empty((constant.shape[0], self.n_features), dtype=dtype)
        out[:, :-1], out[:, -1] = linear.reshape(constant.shape[0], -1), constant
        return out

    def basis(self, output: int) -> FloatArray | None:
        """Return the vectors that the features multiply, (n_features, n_inputs + 1); None for unit vectors."""
        return None if self._vectors is None else self._vectors[output]

    def vectors(self, index: slice | NDArray, output: int, dtype: Any = np.float64) -> NDArray[Any]:
        """Return the vectors of some maps, (k, n_inputs + 1)."""
        features, basis = self.features(index, output, dtype), self.basis(output)
        return features if basis is None else features @ basis.astype(dtype, copy=False)

    def check(self) -> None:
        """Raise when a number is not finite.

        Raises
        ------
        NonFiniteError
        """
        if isinstance(self._maps, FactoredMaps):
            return
        for block in blocks(self.n_maps, 4096):
            if not (np.isfinite(self._maps.b[block]).all() and np.isfinite(self._maps.A[block]).all()):
                raise NonFiniteError("the maps hold NaN or an infinite number. Compute them again with `affine_at`.")


def _bases(maps: FactoredMaps) -> list[FloatArray]:
    h, width = maps.first.shape
    has_shift = bool(maps.intercepts.any())
    out = []
    for weights, constant in zip(maps.last[:, :-1], maps.last[:, -1], strict=True):
        basis = np.zeros(((2 if has_shift else 1) * h + 1, width))
        basis[:h] = weights[:, None] * maps.first
        if has_shift:
            basis[h : 2 * h, -1] = weights
        basis[-1, -1] = constant
        out.append(basis)
    return out


def blocks(n: int, size: int) -> list[slice]:
    """Return slices of at most `size` that cover n entries."""
    return [slice(i, min(i + size, n)) for i in range(0, n, size)]


def block_size(n_columns: int) -> int:
    """Return how many rows of float64 numbers one block has."""
    return int(np.clip(_BLOCK_BYTES // (8 * max(1, n_columns)), 64, 4096))


def has_factors(network: Network) -> bool:
    """Return whether the network has the form affine, activations, affine."""
    last = network.nodes[network.output]
    if not (isinstance(last, Affine) and len(last.inputs) == 1 and len(network.cuts) == 1):
        return False
    kind = network.nodes[last.inputs[0]]
    hidden = network.nodes[kind.input] if isinstance(kind, Breakpoints) else None
    return isinstance(hidden, Affine) and hidden.inputs == (0,)


def maps_of(
    network: Network, X: ArrayLike, *, out: Any = None, memory: int | None = None, jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Maps:  # fmt: skip
    """Return the maps of a network at points: factored where it has one hidden layer, else written out in float32."""
    if has_factors(network):
        return network.factored_affine_at(X, memory=memory)
    told = None if progress is None else lambda _, done, share: progress(done, total_of(done, share))
    return network.affine_at(
        X, ties="torch", dtype=np.float32, out=out, memory=memory, jobs=jobs, progress=told
    )  # fmt: skip


def flat_points(X: ArrayLike, rows: MapRows, name: str) -> NDArray[Any]:
    """Return `X` as (N, n_inputs), one point per map.

    Raises
    ------
    DimensionError
        When there is not one point per map, or a point does not have one number per input.
    NonFiniteError
    """
    array = np.asarray(X)
    if array.dtype.kind not in "fiub":
        array = np.asarray(X, dtype=np.float64)
    if array.ndim < 1 or array.shape[0] != rows.n_maps or prod(array.shape[1:]) != rows.n_inputs or array.ndim < 2:
        raise DimensionError(
            f"`{name}` has shape {array.shape} but there are {rows.n_maps} maps of {rows.n_inputs} inputs. "
            "Pass the points at which the maps were taken, one per map."
        )
    flat = array.reshape(rows.n_maps, rows.n_inputs)
    if flat.dtype.kind == "f" and not np.isfinite(flat).all():
        raise NonFiniteError(f"`{name}` holds NaN or an infinite number. Pass finite inputs.")
    return flat


def checked_labels(y: ArrayLike | None, n: int, name: str) -> NDArray[np.int64] | None:
    """Return labels as whole numbers, (n,), or None.

    Raises
    ------
    DimensionError, ArgumentError
        When there is not one label per point, or a label is no whole number.
    """
    if y is None:
        return None
    labels = np.asarray(y)
    if labels.shape != (n,):
        raise DimensionError(f"`{name}` has shape {labels.shape}; expected ({n},): one label per point.")
    if labels.dtype.kind not in "iub":
        raise ArgumentError(f"`{name}` holds {labels.dtype} entries. Pass positions of outputs: whole numbers.")
    return labels.astype(np.int64)
