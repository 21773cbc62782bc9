"""Which entries are equal because the background is? In one image, whatever its weights.

Real images have large parts of one color, where the windows of a max-pool tie in almost every image. Two entries of
one channel that read nothing but this color, with the same taps on the padding, are the same exact number: no bound
is needed to know it, and no exact arithmetic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.graph import Affine, Breakpoints, Convolution, FloatArray, Gather, Input, Max, Network, Node


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

    def __init__(self, network: Network) -> None:
        self.classes: list[NDArray[np.int64] | None] = []
        self.positions: list[int] = []
        self._network = network
        self._tables: list[NDArray[np.int64] | None] = []
        places: list[NDArray[np.int64] | None] = []
        for node in network.nodes:
            table, at = self._describe(node, places)
            places.append(at)
            self._tables.append(table)
            size = int(np.prod(node.shape))
            self.positions.append(size if at is None else at.size)
            channel = np.arange(size) // max(1, self.positions[-1])
            self.classes.append(
                None if at is None else channel * (int(at.max(initial=0)) + 1) + np.tile(at, size // max(1, at.size))
            )
        if not any(isinstance(node, Max) and self.classes[node.input] is not None for node in network.nodes):
            self.classes = [None] * len(network.nodes)

    def start(self, rows: FloatArray) -> NDArray[np.bool_] | None:
        """Return where inputs (N, n_inputs) have the color of their first position: (N, positions)."""
        if self.classes[0] is None:
            return None
        image = rows.reshape(rows.shape[0], -1, self.positions[0])
        return (image == image[:, :, :1]).all(axis=1)

    def through(self, t: int, done: list[NDArray[np.bool_] | None]) -> NDArray[np.bool_] | None:
        """Return which positions (N, positions) of node `t` read background only, from those of the nodes before."""
        table, node = self._tables[t], self._network.nodes[t]
        if table is None or isinstance(node, Input):
            return None
        source = done[node.inputs[0] if isinstance(node, Affine) else node.input]
        if source is None or table.size == 0:
            return source
        padded = np.concatenate([source, np.ones((source.shape[0], 1), dtype=bool)], axis=1)
        out = padded[:, table[:, 0]]
        for column in table.T[1:]:
            out &= padded[:, column]
        return out

    def reads(self, t: int) -> NDArray[np.int64] | None:
        """Return which positions of its input each position of node `t` reads, channel by channel in the same way.

        Shape (positions, taps), -1 for padding; without taps where each position reads its own. None where the node has
        no such form.
        """
        return self._tables[t]

    def _describe(self, node: Node, places: list) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
        # What each position reads (-1: padding), and the class of each position if all of it were background.
        if isinstance(node, Input):
            spatial = int(np.prod(node.shape[1:])) if len(node.shape) > 1 else 0
            return None, np.zeros(spatial, dtype=np.int64) if spatial > 1 else None
        source = node.inputs[0] if isinstance(node, Affine) and len(node.inputs) == 1 else getattr(node, "input", None)
        if source is None or places[source] is None:
            return None, None
        table = self._reads(node, int(places[source].size))
        if table is None or table.size == 0:
            return table, None if table is None else places[source]
        read = np.where(table < 0, -1, places[source][table])
        return table, np.unique(read, axis=0, return_inverse=True)[1].reshape(-1)

    def _reads(self, node: Node, n: int) -> NDArray[np.int64] | None:
        size = int(np.prod(node.shape))
        same = np.empty((0, 1), dtype=np.int64)
        if isinstance(node, Breakpoints):
            numbers = np.concatenate([node.knots, node.slopes, node.intercepts], axis=1)
            return same if _same_per_channel(numbers, n) else None
        if isinstance(node, Max):
            return _window_table(node, n)
        assert isinstance(node, Affine)
        operator = node.operators[0]
        if isinstance(operator, Convolution):
            fits = operator.n_positions == n and _same_per_channel(node.bias[:, None], operator.places.shape[0])
            return operator.places if fits else None
        if isinstance(operator, Gather) and size % n == 0 and size:
            numbers = np.stack([operator.scale, node.bias, operator.index - np.tile(np.arange(n), size // n)], axis=1)
            stays = np.all(operator.index % n == np.tile(np.arange(n), size // n)) and operator.index.min() >= 0
            return same if stays and _same_per_channel(numbers, n) else None
        return None


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
