"""How is what a local network says put in the whole network's terms, and back? Levels, units, lines, patterns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.compiled.structs import Pack, pack
from reluatlas.errors import InternalError
from reluatlas.subdivision.items import Found, Item
from reluatlas.subdivision.path.composition import S_COUNTER, State
from reluatlas.subdivision.program.keys import pattern_key
from reluatlas.subdivision.program.layout import Program
from reluatlas.typing import IntArray

_LEVEL, _UNIT, _LOW = 50, 20, (1 << 20) - 1
"""Where a line's name has its level and its unit; see `exact.line_reference`."""
_UNITS = (1 << 30) - 1
LINES = ("line_a", "line_b", "edges", "rows", "facets")
"""Fields of items that name lines."""


def line_units(line: int) -> tuple[int, int]:
    """Return the level and the unit of a line that is not a side of the domain."""
    return line >> _LEVEL, (line >> _UNIT) & _UNITS


@dataclass(frozen=True, eq=False)
class Names:
    """The units of a local network among those of the whole one.

    Attributes
    ----------
    whole, local : Program
    base : ndarray
        The pieces of all units of the whole network; 0 for those of the local one.
    """

    whole: Program
    local: Program
    base: NDArray[np.int32]

    @classmethod
    def of(cls, whole: Program, local: Program, pattern: IntArray) -> Names:
        """Return the names for a pattern of what is constant."""
        base = pattern.astype(np.int32)
        base[local.column] = 0
        return cls(whole, local, base)

    @cached_property
    def whole_program(self) -> Pack:
        """The whole program for exact rows alone: those that float64 holds are not taken from a state."""
        return pack(self.whole._replace(x_float=np.zeros_like(self.whole.x_float)))

    @cached_property
    def key(self) -> np.uint64:
        """Hash of the constant pieces."""
        return np.uint64(pattern_key(self.base, self.base.size))

    @cached_property
    def _level_inside(self) -> IntArray:
        """For each level of the whole network, the first local one that is not before it."""
        return np.searchsorted(self.local.to_level, np.arange(self.whole.pat_off.size)).astype(np.int64)

    @cached_property
    def _unit_inside(self) -> IntArray:
        """For each column of a pattern the unit of its local level; -1 where there is none."""
        inside = np.full(self.base.size, -1, dtype=np.int64)
        starts = self.local.pat_off[:-1]
        sizes = np.diff(self.local.pat_off)
        inside[self.local.column] = np.arange(self.local.column.size) - np.repeat(starts, sizes)
        return inside

    def start(self, whole: State, local: State) -> None:
        """Let the whole network's state begin anew, with the constant pieces: the local one follows another path."""
        whole.piece[: self.base.size] = self.base
        local.synced[:] = -1
        n = self.whole.pat_off.size
        whole.serial[1:n] = whole.stats[S_COUNTER] + np.arange(1, n)
        whole.stats[S_COUNTER] += n

    def lines_inside(self, lines: IntArray) -> IntArray:
        """Return local names of lines; sides of the domain, and what else is below zero, have none."""
        level, unit = lines >> _LEVEL, (lines >> _UNIT) & _UNITS
        ours = lines >= 0
        column = np.where(ours, self.whole.pat_off[np.where(ours, level, 0)] + unit, 0)
        inside = np.where(ours, self._unit_inside[column] if self.base.size else -1, 0)
        if np.any(inside < 0):
            raise InternalError(
                "a line that bounds a cell is that of a unit that cannot change there. "
                "This is a bug in reluatlas: please report it with the network."
            )
        name = (self._level_inside[np.where(ours, level, 0)] << _LEVEL) | (inside << _UNIT) | (lines & _LOW)
        return np.where(ours, name, lines)

    def lines_outside(self, lines: IntArray) -> IntArray:
        """Return the whole network's names of lines."""
        if not self.local.column.size:
            return lines
        ours = lines >= 0
        level, unit = np.where(ours, lines >> _LEVEL, 0), np.where(ours, (lines >> _UNIT) & _UNITS, 0)
        place = self.local.pat_off[level] + unit
        name = (self.local.to_level[level] << _LEVEL) | (self.local.to_unit[place] << _UNIT) | (lines & _LOW)
        return np.where(ours, name, lines)

    def item_inside(self, item: Any) -> Any:
        """Return an item of the whole network as one of the local one."""
        level = int(self._level_inside[item.level])
        pieces = item.pieces[self.local.column[: self.local.pat_off[level]]]
        return replace(item, level=level, pieces=pieces, **self._lines(item, self.lines_inside))

    def _item_outside(self, item: Any) -> Any:
        level = int(self.local.to_level[item.level])
        n = int(self.local.pat_off[item.level])
        pieces = self.base[: self.whole.pat_off[level]].copy()
        pieces[self.local.column[:n]] = item.pieces
        return replace(item, level=level, pieces=pieces, **self._lines(item, self.lines_outside))

    def _lines(self, item: Item, rename: Any) -> dict[str, IntArray]:
        return {name: rename(getattr(item, name)) for name in LINES if hasattr(item, name)}

    def found_outside(self, found: Found) -> Found:
        """Return what was found in the whole network's terms."""
        cells = found.cells
        if cells is not None:
            pattern = np.empty((cells.pattern.shape[0], self.base.size), dtype=cells.pattern.dtype)
            pattern[:] = self.base
            pattern[:, self.local.column] = cells.pattern
            # lines that bound cells, and those that meet in vertices
            lines = {
                name: self.lines_outside(getattr(cells, name)) for name in ("line", "rows") if hasattr(cells, name)
            }
            cells = cells._replace(pattern=pattern, hash=cells.hash ^ self.key, **lines)
        return replace(found, cells=cells, rest=[self._item_outside(item) for item in found.rest])

    def key_of(self, pieces: NDArray[np.int32]) -> np.uint64:
        """Return the hash of pieces of the first local units, as columns of the whole pattern."""
        spread = np.zeros(self.base.size, dtype=np.int32)
        spread[self.local.column[: pieces.size]] = pieces
        return np.uint64(pattern_key(spread, spread.size))
