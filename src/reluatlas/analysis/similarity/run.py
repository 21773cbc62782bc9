"""How are many pairs of networks compared? In one pass over their maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.analysis.maps.gram import Pairing, Products, inner_products
from reluatlas.analysis.maps.regression import Spectrum, choose_penalty, leading_directions, least_squares, spectrum
from reluatlas.analysis.maps.rows import MapRows, Maps, checked_labels, flat_points, maps_of
from reluatlas.analysis.similarity.answer import Bias, Similarity, SimilarityTable
from reluatlas.analysis.similarity.baselines import centered, linear_cka, random_partners
from reluatlas.analysis.similarity.mapped import Mapping as Matrices
from reluatlas.analysis.similarity.mapped import evaluate, own_predictions
from reluatlas.errors import ArgumentError, DimensionError
from reluatlas.network.batches import available_cores
from reluatlas.network.maps.factored import FactoredMaps
from reluatlas.network.network import Network, require_network
from reluatlas.progress import Staged
from reluatlas.typing import FloatArray

T = TypeVar("T")
Source: TypeAlias = Network | tuple[Maps, Maps]
"""A network, or its maps at the fit points and at the test points."""

RANKS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200)
_BIASES = ("mapped", "not mapped")
_CHANCES = ("any", "label")


@dataclass(frozen=True)
class Options:
    """What is asked of a comparison; see `similarity`."""

    bias: Sequence[Bias]
    ridge: bool
    ranks: Sequence[int] | None
    chance: Sequence[str]
    held_back: float
    seed: int
    memory: int | None
    jobs: int | None
    progress: Staged | None

    def __post_init__(self) -> None:
        for name, given, known in (("bias", self.bias, _BIASES), ("chance", self.chance, _CHANCES)):
            wrong = [x for x in given if x not in known]
            if wrong:
                raise ArgumentError(f'`{name}={wrong[0]!r}` is unknown. Pass "{known[0]}" or "{known[1]}".')
        if not self.bias:
            raise ArgumentError('`bias` is empty. Pass "mapped", "not mapped", or both.')
        if not 0 < self.held_back < 1:
            raise ArgumentError(f"`held_back={self.held_back!r}` must be a share between 0 and 1.")
        if any(isinstance(r, bool) or int(r) != r or r < 1 for r in self.ranks or ()):
            raise ArgumentError(f"`ranks={self.ranks!r}` must hold whole numbers of at least 1.")

    @property
    def rank_array(self) -> NDArray[np.int64]:
        """Ranks, ascending."""
        return np.array(sorted({int(r) for r in self.ranks or ()}), dtype=np.int64)


def compare_pairs(
    sources: Mapping[str, Source],
    pairs: Sequence[tuple[str, str]],
    X_fit: ArrayLike,
    X_test: ArrayLike,
    y_fit: ArrayLike | None,
    y_test: ArrayLike | None,
    options: Options,
) -> SimilarityTable:
    """Return the similarities of ordered pairs of names, for every bias asked for."""
    names = list(sources)
    fit, test = {}, {}
    for name, source in sources.items():
        fit[name], test[name] = _rows(name, source, X_fit, X_test, options)
    first = names[0]
    for name in names:
        for rows, other in ((fit, fit), (test, test), (test, fit)):
            _check_alike(name, rows[name], first, other[first], rows is other)
    flat_points(X_fit, fit[first], "X_fit")
    X = flat_points(X_test, test[first], "X_test")
    if not fit[first].n_maps or not test[first].n_maps:
        raise ArgumentError("`X_fit` and `X_test` must hold at least one point each.")
    labels = checked_labels(y_test, len(X), "y_test")
    fit_labels = checked_labels(y_fit, fit[first].n_maps, "y_fit")
    if "label" in options.chance and fit_labels is None:
        raise ArgumentError('`chance="label"` needs the labels of the fit points. Pass `y_fit=`.')

    n = fit[first].n_maps
    held = np.zeros(n, dtype=bool)
    if options.ridge:
        held[np.random.default_rng(options.seed).permutation(n)[: min(round(options.held_back * n), n - 1)]] = True
    products = _all_products([fit[k] for k in names], names, pairs, held, fit_labels, options)
    own = {name: own_predictions(test[name], X) for name in names}
    own_accuracy = [np.nan if labels is None else float((own[name] == labels).mean()) for name in names]
    answers: dict[tuple[str, str, Bias], Similarity] = {}
    for bias in options.bias:
        for f in dict.fromkeys(f for f, _ in pairs):
            fitting = _Fitting(f, bias, products, fit[f], held, options)
            for g in (g for k, g in pairs if k == f):
                mappings, directions, penalties = fitting.mappings(g)
                scores, by_rank = evaluate(
                    test[f], test[g], list(mappings.values()), directions, options.rank_array, X, labels, own[g],
                    bias == "mapped", jobs=options.jobs, progress=options.progress,
                )  # fmt: skip
                score = dict(zip(mappings, scores, strict=True))
                answers[f, g, bias] = Similarity(
                    bias, score["least squares"], score.get("ridge"), by_rank,
                    {kind: score[kind] for kind in options.chance}, fitting.ranks, penalties, fitting.cka(g),
                    own_accuracy[names.index(f)], own_accuracy[names.index(g)], float((own[f] == own[g]).mean()),
                    n, test[f].n_maps, fit[f].n_inputs + (bias == "mapped"),
                )  # fmt: skip
    return SimilarityTable(tuple(names), answers, np.array(own_accuracy))


def _rows(name: str, source: Source, X_fit: ArrayLike, X_test: ArrayLike, options: Options) -> tuple[MapRows, MapRows]:
    if isinstance(source, Network):

        def told(done: int, total: int) -> None:
            if options.progress is not None:
                options.progress(f"maps of {name}", done, total)

        both = tuple(maps_of(source, X, jobs=options.jobs, progress=told) for X in (X_fit, X_test))
    else:
        both = source
    if not isinstance(both, tuple | AffineMaps | FactoredMaps):
        require_network(both, name)
    if not (isinstance(both, tuple) and len(both) == 2 and all(isinstance(m, AffineMaps | FactoredMaps) for m in both)):
        raise ArgumentError(
            f"`{name}` is neither a network nor a pair of maps. Pass `net`, or "
            "`(net.affine_at(X_fit), net.affine_at(X_test))`."
        )
    rows = MapRows(both[0]), MapRows(both[1])
    for one in rows:
        one.check()
    return rows


def _check_alike(name: str, rows: MapRows, first: str, other: MapRows, same_points: bool) -> None:
    mine, theirs = (rows.n_outputs, rows.n_inputs), (other.n_outputs, other.n_inputs)
    if mine != theirs:
        raise DimensionError(
            f"`{name}` has maps of {mine[1]} inputs to {mine[0]} outputs but `{first}` of {theirs[1]} inputs to "
            f"{theirs[0]} outputs. Compare networks of one task."
        )
    if same_points and rows.n_maps != other.n_maps:
        raise DimensionError(
            f"`{name}` has {rows.n_maps} maps but `{first}` has {other.n_maps}. Take both at the same points."
        )


_Key = tuple[str, str, str]


def _all_products(
    rows: list[MapRows],
    names: list[str],
    pairs: Sequence[tuple[str, str]],
    held: NDArray[np.bool_],
    labels: NDArray[np.int64] | None,
    options: Options,
) -> dict[_Key, Products]:
    at = {name: i for i, name in enumerate(names)}
    orders = {
        kind: random_partners(held.size, labels if kind == "label" else None, options.seed + 1)
        for kind in options.chance
    }
    pairings: dict[_Key, Pairing] = {(name, name, "paired"): Pairing(at[name], at[name]) for name in names}
    for f, g in pairs:
        for kind, order in {"paired": None, **orders}.items():
            if (g, f, kind) not in pairings:
                pairings[f, g, kind] = Pairing(at[f], at[g], order)
    sums = inner_products(
        rows, list(pairings.values()), held, memory=options.memory, jobs=options.jobs, progress=options.progress
    )
    return dict(zip(pairings, sums, strict=True))


class _Fitting:
    """Fits of the mappings from one network, with or without the constants."""

    def __init__(
        self,
        f: str,
        bias: Bias,
        products: dict[_Key, Products],
        rows: MapRows,
        held: NDArray[np.bool_],
        options: Options,
    ) -> None:
        self._f, self._products, self._options, self._held = f, products, options, held
        self._width = rows.n_inputs + (bias == "mapped")
        self._outputs = rows.n_outputs
        self._unit = rows.unit
        self._all = self._each(lambda c: spectrum(self._square(f, c, "all"), rows.unit))
        self._kept: list[Spectrum] = []
        if options.ridge and held.any():
            self._kept = self._each(lambda c: spectrum(self._square(f, c, "kept"), rows.unit))
        self.ranks = np.array([known.rank for known in self._all])

    def _each(self, work: Callable[[int], T]) -> list[T]:
        from reluatlas.network.batches import one_blas_thread

        threads = min(self._options.jobs or available_cores(), self._outputs)
        with one_blas_thread(), ThreadPoolExecutor(threads) as executor:
            return list(executor.map(work, range(self._outputs)))

    def _square(self, name: str, output: int, part: str) -> FloatArray:
        return self._products[name, name, "paired"].of(output, part)[: self._width, : self._width]

    def _cross(self, g: str, output: int, part: str, kind: str = "paired") -> FloatArray:
        width = self._width
        if (self._f, g, kind) in self._products:
            return self._products[self._f, g, kind].of(output, part)[:width, :width]
        return self._products[g, self._f, kind].of(output, part)[:width, :width].T

    def mappings(self, g: str) -> tuple[dict[str, Matrices], Matrices | None, FloatArray]:
        """Return the mappings to g by name, the directions that cut the first to lower ranks, and the penalties."""
        options = self._options
        highest = int(options.rank_array.max(initial=0))

        def fit(c: int) -> tuple[dict[str, FloatArray], FloatArray | None, float]:
            cross = self._cross(g, c, "all")
            made = {"least squares": least_squares(self._all[c], cross)}
            share = 0.0
            if options.ridge:
                if self._kept:
                    share = choose_penalty(
                        self._kept[c], self._cross(g, c, "kept"), self._square(self._f, c, "held"),
                        self._cross(g, c, "held"),
                    )  # fmt: skip
                largest = self._all[c].values[0] if self._all[c].rank else 0.0
                made["ridge"] = least_squares(self._all[c], cross, share * largest)
            for kind in options.chance:
                made[kind] = least_squares(self._all[c], self._cross(g, c, "all", kind))
            along = None
            if highest:
                along = leading_directions(made["least squares"], self._square(self._f, c, "all"), highest)
            return made, along, share

        fits = self._each(fit)
        mappings = {name: [made[name] for made, _, _ in fits] for name in fits[0][0]}
        directions = [along for _, along, _ in fits if along is not None]
        return mappings, directions or None, np.array([share for _, _, share in fits])

    def cka(self, g: str) -> FloatArray:
        """Return the linear centered kernel alignment with g, per output."""
        f, n, width = self._f, self._held.size, self._width

        def of(c: int) -> float:
            left, right = (self._products[k, k, "paired"].sum_of(c)[:width] for k in (f, g))
            return linear_cka(
                centered(self._square(f, c, "all"), left, left, n),
                centered(self._square(g, c, "all"), right, right, n),
                centered(self._cross(g, c, "all"), left, right, n),
            )

        return np.array(self._each(of))
