"""Which cells have the same affine map? Decided exactly; cells of one map that meet are a linear region.

Three steps, each for what the one before leaves open: units that no output depends on are left out of the pattern,
and equal patterns have equal maps; maps that differ by more than their error bounds are different; what is still
too close is compared in integers.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import exact_vector, to_floats
from reluatlas.complexes.record import ComplexRecord
from reluatlas.complexes.union_find import components
from reluatlas.deadline import look
from reluatlas.domain import Domain
from reluatlas.errors import NonFiniteError
from reluatlas.network.interpret import Choice, slopes_of, winners_of
from reluatlas.network.maps.compose import FloatRows
from reluatlas.network.maps.lost import are_lost
from reluatlas.network.network import Affine, Breakpoints, Input, LinearOperator, Network
from reluatlas.network.operators import mapped
from reluatlas.network.values.exact import ExactPoint, IntegerArithmetic
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.subdivision.program.lower import lower
from reluatlas.typing import IntArray

ExactMap = tuple[tuple[Fraction, ...], ...]
_CHUNK = 1 << 23


def affine_map_ids(cx: ComplexRecord) -> IntArray:
    """Return a label for each cell: equal labels for equal affine maps; 0, 1, ... in the order of the cells."""
    if cx.n_cells == 0:
        return np.zeros(0, dtype=np.int64)
    relevant = _relevant_patterns(cx.network, cx.patterns)
    _, first, member = np.unique(as_keys(relevant), return_index=True, return_inverse=True)
    return _first_come(_exactly_equal(cx, first)[member.reshape(-1)])


def linear_regions(cx: ComplexRecord, ids: IntArray) -> IntArray:
    """Return a label for each cell: the components, through facets, of cells with one map; 0, 1, ..."""
    owner = np.repeat(np.arange(cx.n_cells), np.diff(cx.facets.offsets))
    inner = np.flatnonzero(cx.facets.neighbor >= 0)
    i, j = owner[inner], cx.facets.neighbor[inner]
    same = ids[i] == ids[j]
    return _first_come(components(cx.n_cells, i[same], j[same]))


class ExactMaps:
    """The maps of cells on their domain, as fractions, one cell at a time.

    `arithmetic` keeps the network's numbers as whole ones, for who asks several times.
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        patterns: NDArray[np.integer],
        arithmetic: IntegerArithmetic | None = None,
    ) -> None:
        self._network = network
        self._choice: Choice = {t: patterns[:, s] for t, s in network.pattern_slices().items()}
        self._arithmetic = arithmetic or IntegerArithmetic()
        origin, basis = domain.frame()
        start = exact_vector(origin)
        self._corners = [start] + [self._arithmetic.add(start, exact_vector(row)) for row in basis]

    def of(self, cell: int) -> ExactMap:
        """Return, for each output, its coefficients of the k coordinates and its constant."""
        at = []
        for corner in self._corners:
            point = ExactPoint(self._network, self._arithmetic, corner, self._choice, cell)
            values = point.values(self._network.output)
            scale = Fraction(2) ** values.exponent / values.denominator
            at.append([number * scale for number in values.numbers])
        constant, *ends = at
        return tuple((*(end[c] - v for end in ends), v) for c, v in enumerate(constant))


def restore_maps(cx: ComplexRecord) -> None:
    """Compose again, exactly, the maps of a complex in which float64 lost digits by underflow.

    Raises
    ------
    NonFiniteError
        When a map has a number beyond float64.
    """
    A, b = cx.affine.A, cx.affine.b
    lost = are_lost(cx.network, A, b)
    if lost is None or not lost.any():
        return
    exact = ExactMaps(cx.network, cx.domain, cx.patterns)
    for cell in np.flatnonzero(lost.any(axis=1)).tolist():
        form = exact.of(cell)
        for o in np.flatnonzero(lost[cell]).tolist():
            row = to_floats(form[o])
            if not np.all(np.isfinite(row)):
                raise NonFiniteError(
                    f"the map of output {o} in cell {cell} has numbers beyond float64 (1.8e308). "
                    "Multiply the weights and biases of the last layer by a power of two below 1."
                )
            A[cell, o], b[cell, o] = row[:-1], row[-1]


def map_errors(cx: ComplexRecord) -> NDArray[np.float64]:
    """Return bounds (m, k + 1) on the error of every cell's map: k coefficients and a constant for each output."""
    return errors_of(lower(cx.network, cx.domain))


def errors_of(lowered: Lowered) -> NDArray[np.float64]:
    """Return bounds as `map_errors` does, of a network and a domain."""
    bound = lowered.map_error
    errors = np.repeat(bound[:, :1], lowered.domain.dim + 1, axis=1)
    errors[:, -1] = bound[:, 1]
    return errors


def _exactly_equal(cx: ComplexRecord, cells: IntArray) -> IntArray:
    """Return a label for each of some cells: equal labels for equal maps."""
    maps = np.concatenate([cx.affine.A[cells], cx.affine.b[cells][:, :, None]], axis=2).reshape(cells.size, -1)
    errors = map_errors(cx).reshape(-1)
    label = np.zeros(cells.size, dtype=np.int64)
    for values, error in zip(maps.T, errors, strict=True):
        look()
        order = np.lexsort((values, label))
        ranked, group = values[order], label[order]
        apart = (np.diff(ranked) > 2.0 * error) | (np.diff(group) != 0)
        label[order] = np.concatenate([[0], np.cumsum(apart)])
    if not errors.any():
        return label
    exact = ExactMaps(cx.network, cx.domain, cx.patterns)
    size = np.bincount(label)
    found: dict[tuple[int, ExactMap], int] = {}
    for i in np.flatnonzero(size[label] > 1):
        look()
        key = int(label[i]), exact.of(int(cells[i]))
        label[i] = found.setdefault(key, size.size + len(found))
    return label


def _relevant_patterns(network: Network, patterns: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return the patterns plus one, and 0 for each unit that no output depends on."""
    out = np.zeros(patterns.shape, dtype=np.promote_types(patterns.dtype, np.uint16))
    step = max(1, _CHUNK // max(1, sum(prod(node.shape) for node in network.nodes)))
    for start in range(0, patterns.shape[0], step):
        look()
        _relevant(network, patterns[start : start + step], out[start : start + step])
    return out


def _relevant(network: Network, patterns: NDArray[np.integer], out: NDArray[np.integer]) -> None:
    n = patterns.shape[0]
    columns = network.pattern_slices()
    read = {network.output: np.ones((n, network.n_outputs), dtype=bool)}

    def reads(source: int, entries: NDArray[np.bool_]) -> None:
        read[source] = read[source] | entries if source in read else entries

    for t in range(network.output, -1, -1):
        node = network.nodes[t]
        if t not in read or isinstance(node, Input):
            continue
        here = read.pop(t)
        if isinstance(node, Affine):
            for source, operator in zip(node.inputs, node.operators, strict=True):
                reads(source, _reads(operator, here))
            continue
        pieces = patterns[:, columns[t]].astype(np.int64)
        out[:, columns[t]] = np.where(here, pieces + 1, 0)
        if isinstance(node, Breakpoints):
            reads(node.input, here & (slopes_of(node, pieces) != 0))
        else:
            entries = np.zeros((n, prod(network.nodes[node.input].shape)), dtype=bool)
            row, window = np.nonzero(here)
            entries[row, winners_of(node, pieces)[row, window]] = True
            reads(node.input, entries)


def _reads(operator: LinearOperator, outputs: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which entries of an operator's input some of the outputs depend on."""
    ones = mapped(operator, lambda c: (c != 0).astype(np.float64))
    return FloatRows(outputs.shape[0], 1).adjoint(ones, outputs.astype(np.float64)) > 0


def as_keys(rows: NDArray) -> NDArray:
    """Return rows of whole numbers as one value each, to sort and compare."""
    rows = np.ascontiguousarray(rows)
    if rows.shape[1] == 0:
        return np.zeros(rows.shape[0], dtype=np.int64)
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).reshape(-1)


def _first_come(label: NDArray) -> IntArray:
    """Return labels renamed 0, 1, ... in the order of first occurrence."""
    _, first, row = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[row.reshape(-1)]
