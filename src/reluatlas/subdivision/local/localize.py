"""Is a smaller network cut in place of the whole one, and which? `localized`: that of the units that can change.

Bounds find the units whose piece is the same on the whole domain (`reluatlas.stable`). The others, and the candidates
that their windows choose from, make the local network. Whether it pays is decided by counting operations, so that it
depends on the network and the domain alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas.deadline import look
from reluatlas.domain import Space
from reluatlas.network.balance import balanced
from reluatlas.network.record import Graph, Max
from reluatlas.stable.enclosure import Enclosure
from reluatlas.stable.walk import Part, Possible, possibilities
from reluatlas.subdivision.items import BUDGET, FIRST_BUDGET, Item
from reluatlas.subdivision.local.compose import composed
from reluatlas.subdivision.local.layout import LocalGraph, laid_out
from reluatlas.subdivision.local.names import LINES, Names, line_units
from reluatlas.subdivision.path.composition import S_VISITS
from reluatlas.subdivision.program.error_bounds import MOST_OPEN
from reluatlas.subdivision.program.layout import DENSE, M_CERTAIN, M_K, Lowered, Program
from reluatlas.typing import IntArray

Mode = Literal["automatic", "on", "items", "off"]
_MOST_NUMBERS = 2**24
"""Weights of one tensor, while rows are composed; for an item a quarter, as threads do that side by side."""
_GAIN = 2.0
"""A local network is taken when a cell costs so many times less on it."""
_ITEM_GAIN = 10.0
"""A local network is looked for in an item whose cells cost so many times more than to look: often in vain."""
_CORNERS = 5
"""Vertices at which a row is evaluated when a cell is entered, about."""

_LOOKS, _PER_NUMBER, _PER_ENTRY, _PER_TENSOR = 150, 20, 5, 2e5
"""What finding a local network takes: so many columns, each with so many operations for a number and for a weight, and
for each tensor a fifth of a millisecond."""

_FIRST_OPERATIONS, _FEWEST = 2.0**24, 4
"""Of a first item: operations of composing its cells, and cells at the least."""

PROBE = 64
"""Items of so few cells are not looked at again."""
_PROBES = 16
"""Nor those of which not so many times more cells are wanted: they would be found twice for little."""

mode: Mode = "automatic"
"""For tests: "on" takes the domain's local network, where there is one; "items" that of each item; "off" none."""


def is_worth_a_look(lowered: Lowered, n_cells: int, n_visits: int, share: float, gain: float = _GAIN) -> bool:
    """Return whether finding a local network is likely to take less than it saves, from what a first item tells.

    Parameters
    ----------
    n_cells, n_visits : int
        Of the first item: cells, and how often a part of the domain was entered at some level.
    share : float
        Of the domain's volume, that of the first item's cells.
    gain : float
        How many times over it must pay.
    """
    program, levels = lowered.program, max(1, lowered.program.cut.size)
    each = operations(program) * n_visits / max(1, n_cells * levels)
    entries = operations(program) / (int(program.meta[M_K]) + 1)
    look_at_all = _LOOKS * (_PER_NUMBER * int(program.off[-1]) + _PER_ENTRY * entries) + _PER_TENSOR * program.off.size
    return max(n_cells, n_cells / max(share, 1e-9)) * each > gain * look_at_all


def first_budget(lowered: Lowered) -> int:
    """Return how many cells the first item has: fewer in large networks, where a cell may cost as much as a look."""
    return int(np.clip(_FIRST_OPERATIONS / max(1.0, operations(lowered.program)), _FEWEST, FIRST_BUDGET))


class Localized:
    """A local network, and how it is named in the whole one."""

    def __init__(self, lowered: Lowered, names: Names) -> None:
        self.lowered, self.names = lowered, names


def localized(lowered: Lowered, item: Item | None = None, *, always: bool = False) -> Localized | None:
    """Return the local network on all of the domain, or an item; None where there is none, or it does not pay.

    Inside of an item the units that made its walls do not change; they are kept, as what names its vertices.

    Raises
    ------
    TimeLimitError
        When the time that holds here is over.
    """
    domain, program = lowered.domain, lowered.program
    if isinstance(domain, Space) or not program.meta[M_CERTAIN]:
        return None
    network = balanced(lowered.network)
    found = _possible(network, lowered, item, MOST_OPEN if always else min(MOST_OPEN, lowered.n_units // 2))
    if found is None:
        return None
    pattern, kept = found
    n_kept = sum(own.size for own in kept.values())
    too_many = n_kept > MOST_OPEN or (n_kept + domain.dim + 1) * int(program.size.max()) > (
        _MOST_NUMBERS if item is None else _MOST_NUMBERS // 4
    )
    if too_many or (not always and not _may_pay(program, kept, network)):
        return None
    rows = composed(network, domain, pattern, kept)
    if rows is None:
        return None
    look()
    graph = LocalGraph(network, domain, program.x_float.astype(bool), rows, kept)
    local = laid_out(graph, domain, program)
    if not always and _GAIN * operations(local) > operations(program):
        return None
    names = Names.of(program, local, pattern)
    return Localized(replace(lowered, program=local, n_units=n_kept, names=names), names)


def _possible(
    network: Graph, lowered: Lowered, item: Item | None, most: int
) -> tuple[IntArray, dict[int, IntArray]] | None:
    """Return the constant pieces of all units, and which to keep at each cut node; None when these are too many."""
    domain = lowered.domain
    assert not isinstance(domain, Space)
    parts: list[IntArray] = []
    is_open: dict[int, NDArray[np.bool_]] = {}
    n_open = 0
    part = None if item is None else Part(item.corners, item.farthest, item.pieces)
    for layer in possibilities(network, domain, part):
        if isinstance(layer, Enclosure):
            break
        constant = _constant(layer)
        parts.append(constant)
        is_open[layer.node] = constant < 0
        n_open += int(np.count_nonzero(constant < 0))
        if n_open > most:
            return None
    for level, unit in () if item is None else _walls(item):
        is_open[network.cuts[level]][unit] = True
    kept = {}
    for t in reversed(network.cuts):
        node = network.nodes[t]
        kept[t] = own = np.flatnonzero(is_open[t])
        if isinstance(node, Max) and node.input in is_open:
            for w in own:
                is_open[node.input][node.candidates[node.offsets[w] : node.offsets[w + 1]]] = True
    pattern = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    return pattern, kept


def _walls(item: Item) -> list[tuple[int, int]]:
    """Return the levels and units whose rows name an item's walls and vertices."""
    lines = np.unique(np.concatenate([getattr(item, name).reshape(-1) for name in LINES if hasattr(item, name)]))
    return [line_units(int(line)) for line in lines[lines >= 0]]


def _constant(layer: Possible) -> IntArray:
    """Return the piece of each unit, -1 where it may change."""
    start = layer.offsets[:-1]
    place = np.arange(layer.possible.size) - np.repeat(start, np.diff(layer.offsets))
    count = np.add.reduceat(layer.possible.astype(np.int64), start)
    return np.where(count == 1, np.add.reduceat(np.where(layer.possible, place, 0), start), -1)


def _may_pay(program: Program, kept: dict[int, IntArray], network: Graph) -> bool:
    """Return whether a local network would pay if its units read all before them, at the most."""
    entries = before = rows = 0
    for t in network.cuts:
        n = kept[t].size
        entries += n * (before + int(program.meta[M_K]) + 1)
        before, rows = before + n, rows + n
    whole = operations(program)
    return bool(_GAIN * _cost(entries // 4, rows, int(program.meta[M_K])) <= whole)


def operations(program: Program) -> float:
    """Return about how many multiplications composing and entering all levels takes: half of the units are on."""
    weights = 0
    for e in range(program.e_src.size):
        size = int(program.size[program.e_src[e]])
        if program.e_kind[e] == DENSE:
            weights += size * _target_size(program, e)
        else:
            at = program.e_at[e, 1]
            weights += int(program.g_ptr[at + size] - program.g_ptr[at])
    rows = sum(int(program.size[s]) for s in program.src[program.cut])
    return _cost(weights, rows, int(program.meta[M_K]))


def _target_size(program: Program, e: int) -> int:
    return int(program.size[np.searchsorted(program.e_ptr, e, side="right") - 1])


def _cost(weights: int, rows: int, k: int) -> float:
    return (k + 1) * (weights / 2 + _CORNERS * rows)


class LocalWorker:
    """A worker that takes items of the whole network, and subdivides them in a local one.

    Parameters
    ----------
    new_worker : callable
        Makes a worker of a lowered network, beside a program and a state of the whole one.
    whole : object
        The worker of the whole network in the same thread; its state is borrowed for exact rows.
    """

    def __init__(self, new_worker: Any, whole: Any, local: Localized) -> None:
        self._names, self._state = local.names, whole.state
        # rows that are exact in float64 are in the state of a path, which this one is not on
        self._links = local.names.whole_program, whole.packed_state
        self._inner = new_worker(local.lowered, whole=self._links)
        self._inner.measures = whole.measures

    def do(self, item: Any, budget: int, stop: NDArray[np.int64], *, collect: bool) -> Any:
        """Subdivide an item; see the workers of polygons and polytopes."""
        self._names.start(self._state, self._inner.state)
        found = self._inner.do(self._names.item_inside(item), budget, stop, collect=collect)
        return self._names.found_outside(found)


class ItemWorker:
    """A worker that looks at each item once more: what is large is subdivided in a local network of its own.

    Each item is begun as it comes; when it has more cells than `PROBE`, and a local network is likely to pay, it is
    begun again on that. Whether depends on the item alone.

    Parameters
    ----------
    base : object
        The worker of the whole network, or of the local one on all of the domain.
    whole : object
        The worker of the whole network.
    """

    def __init__(self, new_worker: Any, whole: Any, base: Any, lowered: Lowered, *, always: bool) -> None:
        self._new_worker, self._whole, self._base, self._lowered = new_worker, whole, base, lowered
        self._always = always
        # at the best every cell enters all levels
        levels = max(1, lowered.program.cut.size)
        self._may_pay = is_worth_a_look(lowered, 1, levels, 1.0 / BUDGET, _ITEM_GAIN)

    def do(self, item: Any, budget: int, stop: NDArray[np.int64], *, collect: bool) -> Any:
        """Subdivide an item; see the workers of polygons and polytopes."""
        looks = self._always
        if not looks and (not self._may_pay or budget < _PROBES * PROBE):
            return self._base.do(item, budget, stop, collect=collect)
        if not looks:
            found = self._base.do(item, min(PROBE, budget), stop, collect=collect)
            if not found.rest or stop[0] or budget <= PROBE:
                return found
            looks = self._is_worth_it(found, budget)
        local = localized(self._lowered, item, always=self._always) if looks else None
        does = self._base if local is None else LocalWorker(self._new_worker, self._whole, local)
        return does.do(item, budget, stop, collect=collect)

    def _is_worth_it(self, found: Any, budget: int) -> bool:
        left = sum(rest.measure for rest in found.rest)
        share = found.volume / max(found.volume + left, 1e-300)
        share = max(share, found.n_cells / min(budget, BUDGET))
        return is_worth_a_look(self._lowered, found.n_cells, int(found.counters[S_VISITS]), share, _ITEM_GAIN)
