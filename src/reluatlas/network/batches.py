"""How is work on many points split? In batches that fit a memory budget, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.errors import ArgumentError, NonFiniteError
from reluatlas.network.interpret import has_images
from reluatlas.network.operators import CHUNK, Convolution, Dense
from reluatlas.network.record import Affine, Graph, Max
from reluatlas.progress import Counted
from reluatlas.typing import FloatArray

COMPILED_FROM = 16
"""Points from which on it pays to load compiled loops for images."""

DEFAULT_MEMORY = 2**28
_WIDE = 2**21  # numbers of the largest tensor in one batch: with less, calls cost more than the cache gives
_IMAGES = 64  # points in one batch of a network that convolves
_FEW = 64  # points below which no threads are started
_AT_ONCE = 1024  # points that are checked at once


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Points:
    """Points as they were given, converted to float64 rows batch by batch.

    Raises
    ------
    DimensionError, NonFiniteError
        See `Network.points`.
    """

    def __init__(self, network: Graph, X: ArrayLike) -> None:
        array = np.asarray(X)
        self._array, self.is_single = network.split(array if array.dtype.kind in "fiub" else np.asarray(X, np.float64))
        self._squares: NDArray | None = None
        if self._array.dtype.kind == "f":
            squares = np.empty(len(self), dtype=self._array.dtype)
            for start in range(0, len(self), _AT_ONCE):
                part = self._array[start : start + _AT_ONCE]
                # finite squares have finite roots: one pass, and nothing as large as the points is stored
                with np.errstate(all="ignore"):
                    known = np.vecdot(part, part, out=squares[start : start + _AT_ONCE])
                if not np.all(np.isfinite(known)) and not np.all(np.isfinite(part)):
                    raise NonFiniteError("`X` holds NaN or an infinite number. Pass finite inputs.")
            self._squares = squares if squares.itemsize >= 4 else None

    def __len__(self) -> int:
        return self._array.shape[0]

    def __getitem__(self, index: slice | NDArray) -> FloatArray:
        return to_rows(self._array[index])

    def raw(self, index: slice | NDArray) -> NDArray:
        """Return rows as they were given."""
        return self._array[index]

    def squares(self, index: slice | NDArray) -> NDArray | None:
        """Return squared norms of rows as they were given, in float32 or better, where they are known."""
        return None if self._squares is None else self._squares[index]


def to_rows(array: NDArray) -> FloatArray:
    """Return rows (N, n_inputs) of any type in float64, as a copy."""
    return np.array(array, dtype=np.float64)


@dataclass(frozen=True)
class Plan:
    """How many points a batch has, how many rows are carried at once, and how many threads work on batches."""

    size: int
    threads: int
    width: int = 1

    @classmethod
    def of(
        cls,
        network: Graph,
        n_points: int,
        memory: int | None,
        *,
        width: int,
        extra: int = 0,
        jobs: int | None = None,
        is_divisible: bool = False,
    ) -> Plan:
        """Return a plan for rows of coefficients of `width` outputs and `extra` bytes more per point and row.

        With `is_divisible`, fewer rows are carried at once where memory is too little for all.

        Raises
        ------
        ArgumentError
            When `memory` is not a number of bytes, or less than one point needs, or `jobs` is no number of threads.
        """
        budget = checked_memory(memory)
        if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int | np.integer) or jobs < 1):
            raise ArgumentError(f"`jobs={jobs!r}` must be a whole number of at least 1, or None for all cores.")
        if is_divisible:
            while width > 1 and budget < bytes_needed(network, width, 1) + width * extra:
                width = -(-width // 2)

        def need(size: int) -> int:
            return bytes_needed(network, width, size) + size * width * extra

        if budget < need(1):
            raise ArgumentError(
                f"`memory={memory}` bytes are less than one point of this network needs: pass at least {need(1):,} "
                f"({-(-need(1) // 10**6):,} MB)."
            )
        largest = max(prod(node.shape) for node in network.nodes)
        best = min(_WIDE // largest, _IMAGES) if has_images(network) else _WIDE // (largest * max(1, min(width, 16)))
        size = max(1, min(best, n_points))
        threads = max(1, min(int(jobs) if jobs else available_cores(), -(-n_points // size)))
        while size > 1 and threads * need(size) > budget:
            size = size * 3 // 4
        while threads * need(size) > budget:
            threads -= 1
        return cls(size, threads, width)


def checked_memory(memory: int | None) -> int:
    """Return the budget in bytes.

    Raises
    ------
    ArgumentError
        When `memory` is not a number of bytes.
    """
    budget = DEFAULT_MEMORY if memory is None else memory
    if isinstance(budget, bool) or not isinstance(budget, int | np.integer) or budget < 1:
        raise ArgumentError(f"`memory={memory!r}` must be a whole number of bytes, such as 2**28.")
    return int(budget)


def bytes_needed(network: Graph, width: int, n: int) -> int:
    """Return a bound on the memory that `n` points take: their values, bounds and windows, rows of `width` outputs.

    Values are computed up to the last node with pieces. Rows on the output itself are not written out where dense
    matrices lead to it.
    """
    sizes = [prod(node.shape) for node in network.nodes]
    wide = max((node.candidates.size for node in network.nodes if isinstance(node, Max)), default=0)
    operators = [o for node in network.nodes if isinstance(node, Affine) for o in node.operators]
    unrolled = max((_unrolled(o, width, n) for o in operators if isinstance(o, Convolution)), default=0)
    valued = sizes[: max(network.cuts, default=0) + 1]
    last = network.nodes[network.output]
    carried = sizes[: network.output + 1]
    if isinstance(last, Affine) and last.inputs and all(isinstance(o, Dense) for o in last.operators):
        carried = carried[:-1]
    return 8 * (n * (4 * sum(valued) + 8 * max(valued) + 8 * wide + 4 * width * max(carried)) + unrolled)


def _unrolled(operator: Convolution, width: int, n: int) -> int:
    # Numbers that images take when they are unrolled: all of them at once, or as many as a chunk has.
    taps = operator.places.shape[1] * 2
    forward = operator.groups * operator.weight.shape[1] * operator.places.shape[0] * taps
    backward = operator.weight.shape[0] * operator.n_positions * taps
    rows = 0 if n >= COMPILED_FROM else n * width
    return max(min(k * one, max(one, 2 * CHUNK)) for k, one in ((n, forward), (rows, backward)))


@cache
def _libraries() -> Any:
    # Looked for once: that takes a millisecond, and NumPy's BLAS was there before.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_blas_thread() -> Any:
    """Return a context within which BLAS takes one thread: for many small products, which wait for each other else."""
    return _libraries().limit(limits=1, user_api="blas")


def run_batches(function: Callable[[slice], Any], n_points: int, plan: Plan, progress: Counted | None = None) -> None:
    """Call `function` for every batch; `progress` is told from the caller's thread.

    With many points, BLAS gets one thread: several wait for each other more than they help with batches this small.
    """
    batches = [slice(i, min(i + plan.size, n_points)) for i in range(0, n_points, plan.size)]
    done = 0
    if n_points < _FEW:
        for batch in batches:
            function(batch)
            done += batch.stop - batch.start
            if progress is not None:
                progress(done, n_points)
        return
    waiting, running = iter(batches), {}
    with one_blas_thread(), ThreadPoolExecutor(plan.threads) as executor:
        try:
            while True:
                for batch in waiting:
                    running[executor.submit(function, batch)] = batch
                    if len(running) >= 2 * plan.threads:
                        break
                if not running:
                    return
                finished: set[Future] = wait(running, return_when=FIRST_COMPLETED).done
                for future in finished:
                    batch = running.pop(future)
                    future.result()
                    done += batch.stop - batch.start
                    if progress is not None:
                        progress(done, n_points)
        finally:
            for future in running:
                future.cancel()
