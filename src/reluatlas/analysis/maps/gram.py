"""What are the inner products of affine maps, summed over points? Once per network and once per pair, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.maps.rows import MapRows, block_size, blocks
from reluatlas.errors import ArgumentError
from reluatlas.progress import Staged
from reluatlas.typing import FloatArray

DEFAULT_MEMORY = 2**32


@dataclass(frozen=True, eq=False)
class Products:
    """Sums over points of the outer products of two networks' features, apart for kept and held-back points.

    Attributes
    ----------
    kept, held : list of ndarray, shape (features of left, features of right)
        One per output, or one for all where neither depends on the output.
    total : list of ndarray, shape (features of left,)
        Sums of the features of the left network over all points, one per output.
    left, right : MapRows
    """

    left: MapRows
    right: MapRows
    kept: list[FloatArray]
    held: list[FloatArray]
    total: list[FloatArray]

    def of(self, output: int, part: str = "all") -> FloatArray:
        """Return the sum of the outer products of vectors (row of A, b): (n_inputs + 1, n_inputs + 1) numbers."""
        at = 0 if len(self.kept) == 1 else output
        sums = {"kept": self.kept[at], "held": self.held[at]}
        inner = sums[part] if part != "all" else self.kept[at] + self.held[at]
        left, right = self.left.basis(output), self.right.basis(output)
        if left is not None:
            inner = left.T @ inner
        return inner if right is None else inner @ right

    def sum_of(self, output: int) -> FloatArray:
        """Return the sum of the vectors of the left network, (n_inputs + 1,)."""
        total, basis = self.total[min(output, len(self.total) - 1)], self.left.basis(output)
        return total if basis is None else total @ basis


@dataclass(frozen=True, eq=False)
class Pairing:
    """Which two networks are multiplied; row i of the left one with row `order[i]` of the right one."""

    left: int
    right: int
    order: NDArray[np.int64] | None = None


def inner_products(
    networks: Sequence[MapRows],
    pairings: Sequence[Pairing],
    held: NDArray[np.bool_],
    *,
    memory: int | None = None,
    jobs: int | None = None,
    progress: Staged | None = None,
) -> list[Products]:
    """Return the products of each pairing, from one pass over all maps.

    Sums and products are float64, whatever the maps are stored in: the square of a matrix has the square of its
    condition, and float32 products would drown all but the first hundredth of the singular values.

    Raises
    ------
    ArgumentError
        When the sums take more than `memory` bytes (4 GiB by default).
    """
    outputs = networks[0].n_outputs
    sizes = [1 if networks[p.left].shares_features and networks[p.right].shares_features else outputs for p in pairings]
    shapes = [(networks[p.left].n_features, networks[p.right].n_features) for p in pairings]
    need = sum(2 * 8 * k * a * b for k, (a, b) in zip(sizes, shapes, strict=True))
    if need > (DEFAULT_MEMORY if memory is None else memory):
        raise ArgumentError(
            f"the inner products of {len(pairings)} pairs of maps need {need / 1e9:.1f} GB, more than `memory=`. "
            "Compare fewer networks at once, maps of fewer `outputs=`, or raise `memory=`."
        )
    kept = [[np.zeros(shape) for _ in range(k)] for k, shape in zip(sizes, shapes, strict=True)]
    parts = [[np.zeros(shape) for _ in range(k)] for k, shape in zip(sizes, shapes, strict=True)]
    totals = [[np.zeros(shape[0]) for _ in range(k)] for k, shape in zip(sizes, shapes, strict=True)]
    n = held.size
    size = block_size(sum(rows.n_features for rows in networks))

    def work(block: slice, output: int) -> None:
        here = np.arange(block.start, block.stop)
        index = np.concatenate([here[~held[block]], here[held[block]]])
        cut = int(here.size - held[block].sum())
        read: dict[tuple[int, int], NDArray] = {}

        def features(network: int, order: NDArray[np.int64] | None) -> NDArray:
            key = (network, id(order))
            if key not in read:
                read[key] = networks[network].features(index if order is None else order[index], output)
            return read[key]

        for pairing, k, first, second, total in zip(pairings, sizes, kept, parts, totals, strict=True):
            if output < k:
                left, right = features(pairing.left, None), features(pairing.right, pairing.order)
                first[output] += left[:cut].T @ right[:cut]
                second[output] += left[cut:].T @ right[cut:]
                total[output] += left.sum(axis=0)

    in_blocks(work, n, size, outputs, jobs=jobs, progress=progress, stage="inner products")
    return [
        Products(networks[p.left], networks[p.right], k, h, t)
        for p, k, h, t in zip(pairings, kept, parts, totals, strict=True)
    ]


def in_blocks(
    work: Callable[[slice, int], None],
    n: int,
    size: int,
    outputs: int,
    *,
    jobs: int | None,
    progress: Staged | None,
    stage: str,
) -> None:
    """Call `work(block, output)` for all blocks in order, the outputs of one block on several threads."""
    from reluatlas.network.batches import available_cores, one_blas_thread

    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int | np.integer) or jobs < 1):
        raise ArgumentError(f"`jobs={jobs!r}` must be a whole number of at least 1, or None for all cores.")
    threads = min(int(jobs) if jobs else available_cores(), outputs)
    with one_blas_thread(), ThreadPoolExecutor(threads) as executor:
        for block in blocks(n, size):
            list(executor.map(work, [block] * outputs, range(outputs)))
            if progress is not None:
                progress(stage, block.stop, n)
