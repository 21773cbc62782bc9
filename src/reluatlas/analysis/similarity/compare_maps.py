"""How alike are two networks as functions? How well the affine maps of one turn into those of the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from numpy.typing import ArrayLike

from reluatlas.analysis.maps.rows import Progress
from reluatlas.analysis.similarity.answer import Bias, Chance, Similarity, SimilarityTable
from reluatlas.analysis.similarity.run import RANKS, Options, Source, compare_pairs
from reluatlas.errors import ArgumentError


def similarity(
    f: Source,
    g: Source,
    X_fit: ArrayLike,
    X_test: ArrayLike,
    *,
    y_fit: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    bias: Bias = "mapped",
    ridge: bool = True,
    ranks: Sequence[int] | None = RANKS,
    chance: Sequence[Chance] = ("any",),
    held_back: float = 0.2,
    seed: int = 0,
    memory: int | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Similarity:
    """Return how well the affine maps of `f` turn into those of `g` by one matrix per output.

    For each output c, let row i of F_c be the vector (row c of A, b_c) of f's map at fit point i, and G_c the same of
    g. T_c is the matrix of least |F_c T_c - G_c|, without intercept, and of least norm where several are. At a test
    point x the mapped vector is f's vector there times T_c, its score the product with (x, 1), the prediction the
    output of the largest score (of one output: whether its score is above 0). With `bias="not mapped"` only the rows
    of A are mapped, and the score is the product with x, without any constant.

    Parameters
    ----------
    f, g : Network, or (maps at X_fit, maps at X_test)
        Maps are `AffineMaps`, which may be memory maps of a file, or `FactoredMaps`. A network's maps are taken with
        `ties="torch"`, factored where it has one hidden layer, else in float32 in memory.
    X_fit, X_test : array_like, shape (N, *input_shape) or (N, n_inputs)
        Points in the input units of the networks (those of `affine_at`). The answer depends on these units: the
        constant and the linear part weigh differently, and "not mapped" depends on where the origin is. The paper
        takes the *normalized* images that the layers see; so load the networks without `mean=` and `std=`, and
        normalize X.
    y_fit, y_test : array_like of int, optional
        Labels: positions of outputs. `y_test` gives accuracies; `y_fit` is for `chance=("label",)`.
    bias : {"mapped", "not mapped"}
    ridge : bool
        Also fit with a penalty on |T_c|, chosen per output from 0 and 1e-10 to 10^-0.5 times the largest eigenvalue of
        F'F: the one of least squared error on the fit points held back; then fitted again to all of them.
    ranks : sequence of int or None
        Also cut the least-squares mapping to these ranks per output, the best way for squared error over all
        coordinates (reduced-rank regression).
    chance : sequence of {"any", "label"}
        Also fit to pairs of points drawn at random, all points or such of one label: what a mapping achieves that
        knows nothing of the correspondence but the mean of g's maps (for a label).
    held_back : float
        Share of the fit points that is held back to choose penalties.
    seed : int
        For what is held back and for random pairs.
    memory : int, optional
        Bytes for sums of inner products, 4 GiB by default.
    jobs : int, optional
        Threads; all cores by default.
    progress : callable, optional
        Told the stage, what is done of it, and of how much.

    Returns
    -------
    Similarity

    Raises
    ------
    ArgumentError, DimensionError, NonFiniteError
        When networks, maps, points or labels do not fit, or an option makes no sense.

    Guarantees
    ----------
    float64 throughout, from maps as they are stored; deterministic up to the order of summation in BLAS. Singular
    values count when their squares exceed p max(eps, u^2) of the largest square (`regression.spectrum`), where u is
    the rounding of the stored maps: 4e-7 of the largest for 785 numbers in float64, 3e-6 in float32. One pass over
    the maps at the fit points, and 2 N (n + 1)^2 operations per output and product of two networks.

    References
    ----------
    Sattelberg, Cavalieri, Kirby, Peterson, Beveridge, "Locally linear attributes of ReLU neural networks", 2023.
    """
    options = Options((bias,), ridge, ranks, tuple(chance), held_back, seed, memory, jobs, progress)
    table = compare_pairs({"f": f, "g": g}, [("f", "g")], X_fit, X_test, y_fit, y_test, options)
    return table.pairs["f", "g", bias]


def similarity_table(
    networks: Mapping[str, Source],
    X_fit: ArrayLike,
    X_test: ArrayLike,
    *,
    y_fit: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    bias: Sequence[Bias] = ("mapped", "not mapped"),
    ridge: bool = True,
    ranks: Sequence[int] | None = RANKS,
    chance: Sequence[Chance] = ("any",),
    held_back: float = 0.2,
    seed: int = 0,
    memory: int | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> SimilarityTable:
    """Return the similarities of all ordered pairs of networks; see `similarity`.

    The maps of each network are read once for all pairs; each product of two networks serves both directions.

    Parameters
    ----------
    networks : mapping of str to Network or (maps at X_fit, maps at X_test)
    X_fit, X_test, y_fit, y_test, ridge, ranks, chance, held_back, seed, memory, jobs, progress
        As in `similarity`.
    bias : sequence of {"mapped", "not mapped"}

    Returns
    -------
    SimilarityTable

    Raises
    ------
    ArgumentError, DimensionError, NonFiniteError
        As in `similarity`; and when there are fewer than two networks.
    """
    names = list(networks)
    if len(names) < 2:
        raise ArgumentError(f"`networks` holds {len(names)} networks; a table of pairs needs two or more.")
    options = Options(tuple(bias), ridge, ranks, tuple(chance), held_back, seed, memory, jobs, progress)
    pairs = [(f, g) for f in names for g in names if f != g]
    return compare_pairs(networks, pairs, X_fit, X_test, y_fit, y_test, options)
