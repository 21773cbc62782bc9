"""Which candidates of a window are the same number, since they come about in the same way? In one image.

Every entry gets a label, and entries of one label have the same exact value: numbers without an error bound are
labelled by what they are, others by the labels of all that they read, tap by tap. Unlike the background
(`reluatlas.network.patterns.constant_regions`) this looks at values: at units that are off, and at who won a window.
It is asked for images with windows in doubt, and spares them whole-number arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bounded import Bounded
from reluatlas.deadline import look
from reluatlas.network.interpret import Done, winners_of
from reluatlas.network.operators import Convolution, Gather
from reluatlas.network.record import Affine, Breakpoints, Graph, Max

Read = tuple[int, NDArray[np.int64]]
"""A node, and which of its positions each position of another one reads, channel by channel in the same way.

Shape (positions, taps), -1 for padding; without taps where each position reads its own.
"""
Labels = NDArray[np.int64]
_FEW = 4


def taps_of(image: NDArray[np.int64], table: NDArray[np.int64], padding: int) -> NDArray[np.int64]:
    """Return what each position reads of numbers (..., positions), by a table as in `Read`: (..., positions, taps)."""
    if not table.size:
        return image[..., None]
    padded = np.concatenate([image, np.full((*image.shape[:-1], 1), padding, dtype=np.int64)], axis=-1)
    return padded[..., table]


class EqualValues:
    """Labels of the entries of one image, found as they are asked for.

    Parameters
    ----------
    network : Graph
    reads : sequence
        For each node what its positions read (`Background.reads`).
    positions : sequence of int
        For each node, the number of positions of a channel.
    done : sequence of Bounded
        Values of all nodes so far, with their error bounds; those of image `point` are read.
    choice : mapping
        Pieces and winners so far, of all images.
    point : int
    """

    def __init__(
        self,
        network: Graph,
        reads: Sequence[list[Read] | None],
        positions: Sequence[int],
        done: Done[Bounded],
        choice: Mapping[int, NDArray],
        point: int,
    ) -> None:
        self._network, self._reads, self._positions = network, reads, positions
        self._done, self._choice, self._point = done, choice, point
        self._labels: dict[int, Labels] = {}
        self._n_labels = 1  # label 0: the number zero
        self._numbers: dict[float, int] = {0.0: 0}

    def labels(self, t: int) -> Labels:
        """Return the label (entries,) of every entry of node `t`."""
        if t not in self._labels:
            look()
            node = self._network.nodes[t]
            value, error = self._done[t].value[self._point], self._done[t].error[self._point]
            sure = error == 0
            if sure.all():
                found = np.zeros(value.size, dtype=np.int64)
            elif isinstance(node, Max):
                found = self.labels(node.input)[winners_of(node, self._choice[t][self._point][None])[0]]
            elif isinstance(node, Breakpoints):
                found = self._pieces(t, node)
            else:
                assert isinstance(node, Affine)
                found = self._sums(t, node)
            found = found.copy()
            found[sure] = self._of_numbers(value[sure])
            self._labels[t] = found
        return self._labels[t]

    def _of_numbers(self, values: NDArray[np.float64]) -> Labels:
        different, place = np.unique(values, return_inverse=True)
        known = []
        for v in different.tolist():
            if v not in self._numbers:
                self._numbers[v] = self._n_labels
                self._n_labels += 1
            known.append(self._numbers[v])
        return np.array(known, dtype=np.int64)[place.reshape(-1)]

    def _new(self, rows: NDArray[np.int64]) -> Labels:
        """Return one new label for each different row (entries, numbers): labels, but for the first number."""
        if rows.shape[1] > _FEW:
            wide = np.ascontiguousarray(rows)
            key = wide.view(np.dtype((np.void, wide.shape[1] * wide.itemsize))).reshape(-1)
            key = np.unique(key, return_inverse=True)[1].reshape(-1)
        else:
            key = np.zeros(rows.shape[0], dtype=np.int64)
            for column in rows.T:
                key = np.unique(key * self._n_labels + column, return_inverse=True)[1].reshape(-1)
        first = self._n_labels
        self._n_labels += int(key.max(initial=-1)) + 1
        return key + first

    def _pieces(self, t: int, node: Breakpoints) -> Labels:
        before, piece = self.labels(node.input), self._choice[t][self._point]
        if node.is_relu:
            return np.where(piece > 0, before, 0)
        unit = np.arange(before.size)
        numbers = (self._of_numbers(a[unit, piece]) for a in (node.slopes, node.intercepts))
        return self._new(np.stack([before, *numbers], axis=1))

    def _sums(self, t: int, node: Affine) -> Labels:
        size, reads = node.bias.size, self._reads[t]
        if not reads:
            return self._new(np.arange(size)[:, None])  # nothing is known to be equal
        channel, rows = np.empty(0, dtype=np.int64), []
        for (source, table), operator in zip(reads, node.operators, strict=True):
            before = self.labels(source)
            n = self._positions[source]
            taps = taps_of(before.reshape(-1, n), table, 0)  # (channels, positions, taps)
            per = taps.shape[1]
            channel = np.arange(size) // per
            if isinstance(operator, Convolution):
                mixed = self._new(taps.swapaxes(0, 1).reshape(per, -1))
                rows.append(np.tile(mixed, size // per)[:, None])
            elif isinstance(operator, Gather):
                lead = operator.index.reshape(-1, per)[:, 0]
                taken = np.where((lead < 0)[:, None, None], 0, taps[np.maximum(lead, 0) // n])
                rows.append(taken.reshape(size, -1))
            else:
                rows.append(taps.reshape(size, -1))
        return self._new(np.concatenate([channel[:, None], *rows], axis=1))
