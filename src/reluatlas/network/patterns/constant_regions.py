"""Which entries are equal because the background is? In one image, whatever its weights.

Real images have large parts of one color, where the windows of a max-pool tie in almost every image. Two entries of
one channel that read nothing but this color, with the same taps on the padding, are the same exact number: no bound
is needed to know it, and no exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.bounded import Bounded
from reluatlas.deadline import look
from reluatlas.network.interpret import Done
from reluatlas.network.operators import Convolution, Gather, LinearOperator, Sparse
from reluatlas.network.patterns.equal_entries import EqualValues, Read, taps_of
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max, Node
from reluatlas.typing import FloatArray

_OWN = np.empty((0, 1), dtype=np.int64)


class Background:
    """For each node, classes of entries that are equal where they are background.

    A tensor is read as (channels, positions).

    Attributes
    ----------
    classes : list of ndarray or None
        For each node, the class of each entry; None where nothing is known. Entries of one class that are background
        in one image have exactly equal values there.
    positions : list of int
        For each node, the number of positions; entry `i` is at position `i % positions`.
    """

    def __init__(self, network: Graph) -> None:
        self.classes: list[NDArray[np.int64] | None] = []
        self.positions: list[int] = []
        self._network = network
        self._reads: list[list[Read] | None] = []
        places: list[NDArray[np.int64] | None] = []
        for node in network.nodes:
            look()
            reads, at = self._describe(node, places)
            places.append(at)
            self._reads.append(reads)
            size = int(np.prod(node.shape))
            self.positions.append(size if at is None else at.size)
            channel = np.arange(size) // max(1, self.positions[-1])
            self.classes.append(
                None if at is None else channel * (int(at.max(initial=0)) + 1) + np.tile(at, size // max(1, at.size))
            )
        if not any(isinstance(node, Max) and self.classes[node.input] is not None for node in network.nodes):
            self.classes = [None] * len(network.nodes)

    def everywhere(self, rows: FloatArray, upto: int) -> list[NDArray[np.bool_] | None]:
        """Return, for nodes 0 to `upto`, which positions (N, positions) read background only, at inputs (N, n)."""
        plain = [self._start(rows)]
        for t in range(1, upto + 1):
            plain.append(self._through(t, plain))
        return plain

    def _start(self, rows: FloatArray) -> NDArray[np.bool_] | None:
        """Return where inputs (N, n_inputs) have the color of their first position: (N, positions)."""
        if self.classes[0] is None:
            return None
        image = rows.reshape(rows.shape[0], -1, self.positions[0])
        return (image == image[:, :, :1]).all(axis=1)

    def _through(self, t: int, done: list[NDArray[np.bool_] | None]) -> NDArray[np.bool_] | None:
        """Return which positions (N, positions) of node `t` read background only, from those of the nodes before."""
        out = None
        for source, table in self._reads[t] or ():
            plain = done[source]
            if plain is None:
                return None
            if table.size:
                padded = np.concatenate([plain, np.ones((plain.shape[0], 1), dtype=bool)], axis=1)
                plain = padded[:, table[:, 0]]
                for column in table.T[1:]:
                    plain &= padded[:, column]
            out = plain if out is None else out & plain
        return out

    def reads(self, t: int) -> list[Read] | None:
        """Return what each position of node `t` reads; None where the node has no such form."""
        return self._reads[t]

    def values(self, done: Done[Bounded], choice: Mapping[int, NDArray[np.integer]], point: int) -> EqualValues:
        """Return what tells which entries of an image are equal though they are not background."""
        return EqualValues(self._network, self._reads, self.positions, done, choice, point)

    def _describe(self, node: Node, places: list) -> tuple[list[Read] | None, NDArray[np.int64] | None]:
        # What each position reads, and the class of each position if all of it were background.
        if isinstance(node, Input):
            spatial = int(np.prod(node.shape[1:])) if len(node.shape) > 1 else 0
            return None, np.zeros(spatial, dtype=np.int64) if spatial > 1 else None
        reads = self._reads_of(node, places)
        if not reads:
            return None, None
        if len(reads) == 1 and not reads[0][1].size:
            return reads, places[reads[0][0]]
        columns = [taps_of(places[source], table, -1) for source, table in reads]
        if len({c.shape[0] for c in columns}) > 1:
            return None, None
        return reads, np.unique(np.concatenate(columns, axis=1), axis=0, return_inverse=True)[1].reshape(-1)

    def _reads_of(self, node: Node, places: list) -> list[Read] | None:
        reads = []
        if isinstance(node, Affine):
            for source, operator in zip(node.inputs, node.operators, strict=True):
                table = None if places[source] is None else _table_of(operator, places[source].size)
                if table is None:
                    return None
                reads.append((source, table))
            n = 1 if not reads else reads[0][1].shape[0] if reads[0][1].size else places[reads[0][0]].size
            return reads if _same_per_channel(node.bias[:, None], n) else None
        assert isinstance(node, Breakpoints | Max)
        if places[node.input] is None:
            return None
        n = places[node.input].size
        if isinstance(node, Max):
            table = _window_table(node, n)
            return None if table is None else [(node.input, table)]
        numbers = np.concatenate([node.knots, node.slopes, node.intercepts], axis=1)
        return [(node.input, _OWN)] if _same_per_channel(numbers, n) else None


def _table_of(operator: LinearOperator, n: int) -> NDArray[np.int64] | None:
    """Return which of `n` positions each position of an operator's result reads; None where that has no such form."""
    if isinstance(operator, Convolution):
        return operator.places if operator.n_positions == n else None
    if isinstance(operator, Sparse):
        return _pool_table(operator, n)
    if not isinstance(operator, Gather) or operator.n_out % n or not operator.n_out:
        return None
    # a channel comes whole from one of the source, or is not there at all
    own = np.tile(np.arange(n), operator.n_out // n)
    there = operator.index >= 0
    shift = np.where(there, operator.index - own, -1)
    numbers = np.stack([np.where(there, operator.scale, 0.0), shift], axis=1)
    stays = np.all(operator.index[there] % n == own[there])
    return _OWN if stays and _same_per_channel(numbers, n) else None


def _pool_table(operator: Sparse, n: int) -> NDArray[np.int64] | None:
    # Weighted sums of windows within each channel, as in an average pool: all channels with the same places.
    channels = operator.n_in // n if operator.n_in % n == 0 else 0
    if not channels or operator.n_out % channels or operator.indices.size % channels or not operator.n_out:
        return None
    widths = np.diff(operator.indptr).reshape(channels, -1)
    channel = np.repeat(np.arange(channels), widths.sum(axis=1))
    if np.any(widths != widths[:1]) or np.any(operator.indices // n != channel):
        return None
    place, values = (operator.indices % n).reshape(channels, -1), operator.values.reshape(channels, -1)
    if not place.size or np.any(place != place[:1]) or np.any(values != values[:, :1]):
        return None
    most = int(widths[0].max())
    table = np.full((widths.shape[1], most), -1, dtype=np.int64)
    table[np.arange(most) < widths[0][:, None]] = place[0]
    return table


def _same_per_channel(numbers: NDArray, n: int) -> bool:
    if n == 0 or numbers.shape[0] % n:
        return False
    blocks = numbers.reshape(-1, n, numbers.shape[1])
    return bool(np.all(blocks == blocks[:, :1]))


def _window_table(node: Max, n: int) -> NDArray[np.int64] | None:
    # Windows in the order (channels, positions), all channels with the same places.
    widths = np.diff(node.offsets)
    if node.n_windows == 0 or np.any(widths != widths[0]):
        return None
    entries = node.candidates.reshape(node.n_windows, -1)
    channel = entries // n
    if np.any(channel != channel[:, :1]):
        return None
    lead = channel[:, 0]
    count = np.bincount(lead)
    per = int(count.max())
    if np.any(count != per) or np.any(lead != np.repeat(np.arange(count.size), per)):
        return None
    tables = (entries % n).reshape(-1, per, entries.shape[1])
    return tables[0] if np.all(tables == tables[:1]) else None
