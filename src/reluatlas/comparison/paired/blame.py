"""Along which input is a box best halved? By what its symbols have to do with each, and with the output."""

from __future__ import annotations

import numpy as np

from reluatlas.comparison.paired.carry import Symbols
from reluatlas.comparison.paired.forms import Forms
from reluatlas.stable.enclosure import TINY
from reluatlas.typing import FloatArray, IntArray


class Blame:
    """Along which coordinates does what a symbol stands for bend? Shares of each, by symbol."""

    def __init__(self, k: int, n_boxes: int) -> None:
        self._k, self._n = k, n_boxes
        self._second: list[FloatArray] = []
        self._apart: list[FloatArray] = []

    @property
    def n_second(self) -> int:
        """Number of symbols of units so far."""
        return sum(part.shape[1] for part in self._second)

    @property
    def n_apart(self) -> int:
        """Number of symbols of differences so far."""
        return sum(part.shape[1] for part in self._apart)

    def of_second(self, new: Symbols, z: Forms, entry: IntArray | None = None) -> None:
        """Note the new symbols of units that read z."""
        self._second.append(self._shares(new, z, entry))

    def of_apart(self, new: Symbols, z: Forms, entry: IntArray | None = None) -> None:
        """Note the new symbols of differences."""
        self._apart.append(self._shares(new, z, entry))

    def _shares(self, new: Symbols, z: Forms, entry: IntArray | None) -> FloatArray:
        out = np.zeros((self._n, new.rows.shape[1], self._k))
        unit = new.unit if entry is None else entry[new.box, new.unit]
        along = np.abs(z.terms[new.box, 1 : 1 + self._k, unit])
        out[new.box, new.symbol] = along / np.maximum(along.sum(axis=1, keepdims=True), TINY)
        return out

    def weights(self, second: FloatArray, apart: FloatArray) -> FloatArray:
        """Return how much of an output's bound each coordinate is to blame for, (B, k)."""
        out = np.zeros((self._n, self._k))
        for terms, shares in ((second, self._second), (apart, self._apart)):
            if shares:
                all_ = np.concatenate(shares, axis=1)
                n = min(all_.shape[1], terms.shape[1])
                out += np.einsum("bs,bsk->bk", np.abs(terms[:, :n]), all_[:, :n])
        return out
