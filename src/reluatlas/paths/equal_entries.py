"""Which candidates of a window are the same function on a whole segment? Those that read the same numbers.

Real images have large parts of one color, where the windows of a max-pool tie in almost every image. Two positions of
one channel that read the same numbers at both ends of a segment, in the same taps, are the same function along it: no
bound is needed to know it, and no exact arithmetic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.network import FloatArray, Max, Network
from reluatlas.network.patterns.constant_regions import Background
from reluatlas.network.patterns.equal_entries import taps_of

Labels = NDArray[np.int64]
"""Shape (segments, positions): positions of one label are equal in each channel, along the whole segment."""


def alike_entries(network: Network, starts: FloatArray, stops: FloatArray) -> dict[int, Labels | None]:
    """Return the labels of the positions of each max node's input; None where nothing is known."""
    none = dict.fromkeys(network.cuts)
    # the last node asks for the class: its candidates are outputs
    windows = [t for t in network.cuts[:-1] if isinstance(network.nodes[t], Max)]
    if not windows:
        return none
    background = Background(network)
    if all(background.classes[network.nodes[t].input] is None for t in windows):  # type: ignore[union-attr]
        return none
    n, spatial = starts.shape[0], background.positions[0]
    pixels = np.concatenate([starts.reshape(n, -1, spatial), stops.reshape(n, -1, spatial)], axis=1)
    labels: list[Labels | None] = [_numbered(pixels.transpose(0, 2, 1))]
    last = max(network.nodes[t].input for t in windows)  # type: ignore[union-attr]
    for t in range(1, last + 1):
        reads, columns = background.reads(t), []
        for before, table in reads or ():
            source = labels[before]
            if source is None:
                columns.clear()
                break
            columns.append(taps_of(source, table, -1))
        if len(columns) == 1 and columns[0].shape[2] == 1:
            labels.append(columns[0][:, :, 0])
        else:
            labels.append(_numbered(np.concatenate(columns, axis=2)) if columns else None)
    return none | {t: labels[network.nodes[t].input] for t in windows}  # type: ignore[union-attr]


def _numbered(read: NDArray) -> Labels:
    # Equal rows (segments, positions, numbers) of one segment get one number.
    return np.stack([np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1) for rows in read])
