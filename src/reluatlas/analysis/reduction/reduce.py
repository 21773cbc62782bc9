"""How far can the number of affine maps be reduced? Each map replaced by the nearest of k centers per output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.analysis.maps.basis import MapBasis, all_coordinates, map_bases
from reluatlas.analysis.maps.gram import in_blocks
from reluatlas.analysis.maps.rows import MapRows, Maps, block_size, flat_points, maps_of
from reluatlas.analysis.reduction.clustering import Init, cluster_all, nearest
from reluatlas.analysis.similarity.baselines import predictions
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.network.batches import available_cores
from reluatlas.network.maps.factored import FactoredMaps
from reluatlas.network.network import Network, require_network
from reluatlas.progress import Progress, tells
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray

_AT_ONCE = 2048


@dataclass(frozen=True, eq=False, repr=False)
class ReducedModel(Shown):
    """A network whose affine maps are replaced, output by output, by the nearest of k centers.

    The network still says which map holds at a point, and so which center is nearest.

    Attributes
    ----------
    network : Network
    k : int
        Centers per output.
    bases : tuple of MapBasis
        Per output, the coordinates in which the centers are held; `bases[c].lost` is the share of the variance of the
        maps that these coordinates leave out (0 for one hidden layer).
    coordinates : tuple of ndarray, shape (k, q_c)
        Per output, the centers in these coordinates.
    """

    network: Network = field(repr=False)
    k: int
    bases: tuple[MapBasis, ...] = field(repr=False)
    coordinates: tuple[NDArray[np.float32], ...] = field(repr=False)

    @property
    def n_pieces(self) -> int:
        """Number of affine functions in the model: k for each output."""
        return self.k * len(self.bases)

    def centers(self, output: int) -> FloatArray:
        """Return the centers of one output as vectors (row of A, b), (k, n_inputs + 1)."""
        return self.bases[output].vectors(self.coordinates[output].astype(np.float64))

    def pieces(self, X: ArrayLike, *, maps: Maps | None = None, jobs: int | None = None) -> NDArray[np.int64]:
        """Return which center is nearest to the network's map at each point, per output: (N, m).

        Parameters
        ----------
        X, maps, jobs
            As in `decision_function`.
        """
        return self._evaluate(X, maps, jobs)[0]

    def decision_function(self, X: ArrayLike, *, maps: Maps | None = None, jobs: int | None = None) -> FloatArray:
        """Return the scores at points, (N, m): of each output, the nearest center times (x, 1).

        Parameters
        ----------
        X : array_like, shape (N, *input_shape) or (N, n_inputs)
            In the units of the network's inputs.
        maps : AffineMaps or FactoredMaps, optional
            The network's maps at X, when they are known; else they are taken, block by block.
        jobs : int, optional
            Threads; all cores by default.

        Raises
        ------
        DimensionError, NonFiniteError
            When points and maps do not fit.

        Guarantees
        ----------
        float64 from maps as they are stored. Of equally near centers the first counts.
        """
        return self._evaluate(X, maps, jobs)[1]

    def predict(self, X: ArrayLike, *, maps: Maps | None = None, jobs: int | None = None) -> NDArray[np.int64]:
        """Return the output of the largest score at each point, (N,); of one output, whether it is above 0.

        Parameters
        ----------
        X, maps, jobs
            As in `decision_function`.
        """
        return predictions(self.decision_function(X, maps=maps, jobs=jobs))

    def _evaluate(self, X: ArrayLike, maps: Maps | None, jobs: int | None) -> tuple[NDArray[np.int64], FloatArray]:
        if maps is not None:
            rows = MapRows(maps)
            _check_fit(self.network, rows)
            return self._at(flat_points(X, rows, "X"), rows, jobs)
        points = self.network.split(np.asarray(X))[0]
        parts = [
            self._at(part, MapRows(maps_of(self.network, part, jobs=jobs)), jobs)
            for part in (points[i : i + _AT_ONCE] for i in range(0, len(points), _AT_ONCE))
        ]
        m = len(self.bases)
        return (
            np.concatenate([np.empty((0, m), dtype=np.int64), *(p for p, _ in parts)]),
            np.concatenate([np.empty((0, m)), *(s for _, s in parts)]),
        )

    def _at(self, X: NDArray, rows: MapRows, jobs: int | None) -> tuple[NDArray[np.int64], FloatArray]:
        index = np.zeros((len(X), rows.n_outputs), dtype=np.int64)
        scores = np.zeros((len(X), rows.n_outputs))
        known = [c.astype(np.float64) for c in self.coordinates]

        def work(block: slice, output: int) -> None:
            basis = self.bases[output]
            chosen, _ = nearest(basis.coordinates(rows, block, output), known[output])
            points = X[block].astype(np.float64)
            along = points @ basis.axes[:, :-1].T + basis.axes[:, -1]
            index[block, output] = chosen
            scores[block, output] = np.einsum("ij,ij->i", known[output][chosen], along)
            scores[block, output] += points @ basis.mean[:-1] + basis.mean[-1]

        in_blocks(work, len(X), block_size(2 * rows.n_features), rows.n_outputs, jobs=jobs, progress=None, stage="")
        return index, scores


@overload
def reduce(
    net: Network, X: ArrayLike, k: int, method: Literal["kmeans"] = "kmeans", *, maps: Maps | None = None,
    init: Init = ..., tolerance: float = ..., seed: int = ..., memory: int | None = ...,
    jobs: int | None = ..., progress: Progress = ...,
) -> ReducedModel: ...  # fmt: skip
@overload
def reduce(
    net: Network, X: ArrayLike, k: Sequence[int], method: Literal["kmeans"] = "kmeans", *, maps: Maps | None = None,
    init: Init = ..., tolerance: float = ..., seed: int = ..., memory: int | None = ...,
    jobs: int | None = ..., progress: Progress = ...,
) -> list[ReducedModel]: ...  # fmt: skip
@tells("", "stages")
def reduce(
    net: Network,
    X: ArrayLike,
    k: int | Sequence[int],
    method: Literal["kmeans"] = "kmeans",
    *,
    maps: Maps | None = None,
    init: Init = "k-means++",
    tolerance: float = 0.01,
    seed: int = 0,
    memory: int | None = None,
    jobs: int | None = None,
    progress: Progress = None,
) -> ReducedModel | list[ReducedModel]:
    """Return the network with its affine maps replaced, output by output, by the nearest of k centers.

    For each output, mini-batch k-means on the vectors (row of A, b) of the maps at the points X, all coordinates
    unscaled. At a point x the vector of the network's own map there is replaced by the nearest center, and the score
    is that center times (x, 1).

    Parameters
    ----------
    net : Network
    X : array_like, shape (N, *input_shape) or (N, n_inputs)
        Points whose maps are clustered, in input units. Centers depend on these units, as the constant and the linear
        part weigh differently; the paper takes the normalized images that the layers see.
    k : int or sequence of int
        Centers per output, at most N. A sequence takes maps, axes and coordinates only once.
    method : {"kmeans"}
    maps : AffineMaps or FactoredMaps, optional
        The network's maps at X when they are known, of all outputs; may be memory maps of a file. Else they are taken
        with `ties="torch"`, factored where there is one hidden layer, else in float32 in memory.
    init : {"k-means++", "random"}
        Where centers start: at points of a random subset of max(300, 3 k), drawn by squared distance
        (`seeding.spread_points`), or at points drawn evenly.
    tolerance : float
        Share of the variance that the coordinates for clustering may leave out. The maps of one hidden layer of h
        units lie in h dimensions, and nothing is left out; the vectors of others are taken in the fewest principal
        axes. In these coordinates the nearest center is exactly the nearest one in all coordinates; what is lost is the
        part of a center off these axes, which becomes that of the mean. 0 keeps all axes.
    seed : int
    memory, jobs, progress : optional
        As in `similarity`; clustering takes one process per job.

    Returns
    -------
    ReducedModel, or a list of them, one for each of `k`

    Raises
    ------
    ArgumentError
        When k is more than the number of maps, or an option makes no sense.
    DimensionError, NonFiniteError
        When X, maps and network do not fit.

    Guarantees
    ----------
    Deterministic for a seed on one machine. Clustering in float32, by scikit-learn's `MiniBatchKMeans` with its default
    batches and stopping rule; of one center, the mean. A local optimum, as always with k-means.

    Cost
    ----
    Reading the maps, N m n numbers, and for each output mini-batch steps of 1,024 points times k centers.

    Notes
    -----
    What the start changes is little, since the mini-batch steps follow. On a convolutional network of MNIST, 9,442 of
    10,000 test images were right with spread starts and 9,421 with even ones at k = 100, 9,666 and 9,645 at k = 1000
    (one seed each). On a 784-128-10 network, spread starts left the mean square of one output 1 % (k = 1000) and 2 %
    (k = 10,000) lower. scikit-learn's own starts, which try several candidates a step, gave that network 9,422 and
    9,515 right at k = 100 and 1000, those here 9,429 and 9,518. At k = 10,000 the starts here take 2 s of one core an
    output, scikit-learn's two minutes, and the mini-batch steps 18 s.

    References
    ----------
    [Sattelberg2023]; [Sculley2010] for mini-batches, [ArthurVassilvitskii2007] for starts.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])  # |x| has the maps -x and x
    >>> X = np.linspace(-1, 1, 8)[:, None]
    >>> [float(np.abs(model.decision_function(X) - net(X)).max().round(6)) for model in ra.reduce(net, X, [1, 2])]
    [1.0, 0.0]
    """
    require_network(net)
    tell: Any = progress
    many = isinstance(k, Sequence | np.ndarray) and not isinstance(k, str)
    given: Any = k
    counts = _checked_counts(list(given) if many else [given])
    _check_options(method, init, tolerance)
    cores = available_cores() if jobs is None else jobs
    if maps is None:

        def told(done: int, total: int) -> None:
            if tell is not None:
                tell("maps", done, total)

        maps = maps_of(net, X, jobs=jobs, progress=told)
    if not isinstance(maps, AffineMaps | FactoredMaps):
        raise ArgumentError(f"`maps` is a {type(maps).__name__}. Pass what `affine_at` returns at the points X.")
    rows = MapRows(maps)
    _check_fit(net, rows)
    flat_points(X, rows, "X")
    rows.check()
    if max(counts) > rows.n_maps:
        raise ArgumentError(
            f"`k={max(counts)}` is more than the {rows.n_maps} maps, one per point of `X`. "
            f"Pass at most {rows.n_maps}, or more points."
        )
    bases = map_bases(rows, tolerance, memory=memory, jobs=jobs, progress=tell)
    points = all_coordinates(rows, bases, jobs=jobs, progress=tell)
    tasks = sorted(((c, n) for n in set(counts) for c in range(rows.n_outputs)), key=lambda task: (-task[1], task[0]))
    found = {}
    for task, made in zip(tasks, cluster_all(tasks, points, init, seed, cores), strict=True):
        found[task] = np.asarray(made, dtype=np.float32)
        if tell is not None:
            tell("centers", len(found), len(tasks))
    models = [
        ReducedModel(net, int(n), tuple(bases), tuple(found[c, n] for c in range(rows.n_outputs))) for n in counts
    ]
    return models if many else models[0]


def _checked_counts(given: list[Any]) -> list[int]:
    if not given:
        raise ArgumentError("`k` is an empty list. Pass one or more numbers of centers.")
    for value in given:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ArgumentError(f"`k={value!r}` must be a whole number of at least 1.")
    return [int(value) for value in given]


def _check_options(method: str, init: str, tolerance: float) -> None:
    if method != "kmeans":
        raise ArgumentError(
            f'`method={method!r}` is unknown. Pass "kmeans", or join the cells of a domain with `join_cells`.'
        )
    if init not in ("k-means++", "random"):
        raise ArgumentError(f'`init={init!r}` is unknown. Pass "k-means++" or "random".')
    if not 0 <= tolerance < 1:
        raise ArgumentError(f"`tolerance={tolerance!r}` must be a share of the variance: at least 0, below 1.")


def _check_fit(net: Network, rows: MapRows) -> None:
    if (rows.n_outputs, rows.n_inputs) != (net.n_outputs, net.n_inputs):
        raise DimensionError(
            f"the maps take {rows.n_inputs} inputs to {rows.n_outputs} outputs but the network {net.n_inputs} to "
            f"{net.n_outputs}. Pass maps of all outputs of this network."
        )
