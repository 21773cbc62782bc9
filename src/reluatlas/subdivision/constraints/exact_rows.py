"""What is a row of a cell exactly? Its coefficients on the domain's coordinates as whole numbers."""

from __future__ import annotations

from math import lcm
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reluatlas.arithmetic.rationals import ExactVector, exact_vector
from reluatlas.domain import Domain, Slice, Space
from reluatlas.network.network import Breakpoints, Max, Network
from reluatlas.network.values.exact import IntegerArithmetic
from reluatlas.network.values.exact_rows import dot, exact_affine

_KEPT = 200_000


class Reference(NamedTuple):
    """Names a row: knot `first` of a unit, or candidates `first` minus `second` of a window.

    Level -1: the domain's sides; `unit` is the axis, `first` 0 for the low and 1 for the high side.
    """

    level: int
    unit: int
    first: int
    second: int

    @classmethod
    def of(cls, line: int) -> Reference:
        """Return what the compiled engine writes as one number (`reluatlas.subdivision.path.exact_rows`)."""
        if line < 0:
            return cls(-1, (-line - 1) // 2, (-line - 1) % 2, 0)
        return cls(line >> 50, (line >> 20) & 0x3FFFFFFF, (line >> 10) & 1023, line & 1023)

    @property
    def line(self) -> int:
        """The reference as one number, as the compiled engine writes it; negative for the domain's sides."""
        if self.level < 0:
            return -(2 * self.unit + self.first) - 1
        return (self.level << 50) | (self.unit << 20) | (self.first << 10) | self.second


class WholeRows:
    """Exact rows of a network's cells on a domain, kept while there is room.

    Parameters
    ----------
    network : Network
    domain : Box, Slice or Space
    """

    def __init__(self, network: Network, domain: Domain) -> None:
        self._network, self._domain = network, domain
        self._arithmetic = IntegerArithmetic()
        self._slices = network.pattern_slices()
        self._cuts = network.cuts
        self._known: dict[tuple[Reference, bytes], list[int]] = {}
        self._frame = None
        if isinstance(domain, Slice):
            self._frame = exact_vector(domain.origin), [exact_vector(b) for b in domain.basis]

    def __call__(self, reference: Reference, pieces: NDArray[np.integer]) -> list[int]:
        """Return (g_1, ..., g_k, h), a positive multiple of the row `g . u + h` in the cell with these pieces."""
        level = reference.level
        stop = 0 if level < 0 else self._slices[self._cuts[level]].start
        key = reference, pieces[:stop].tobytes()
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = self._side(reference) if level < 0 else self._row(reference, pieces)
        return self._known[key]

    def _side(self, reference: Reference) -> list[int]:
        assert not isinstance(self._domain, Space)
        box = self._domain.box
        value = box.high[reference.unit] if reference.first else box.low[reference.unit]
        above, below = float(value).as_integer_ratio()
        return [below if c == reference.unit else 0 for c in range(box.dim)] + [-above]

    def _row(self, reference: Reference, pieces: NDArray[np.integer]) -> list[int]:
        cut = self._cuts[reference.level]
        node = self._network.nodes[cut]
        assert isinstance(node, Breakpoints | Max)
        knot = 0.0
        if isinstance(node, Breakpoints):
            factors = {reference.unit: 1}
            knot = float(node.knots[reference.unit, reference.first])
        else:
            begin = int(node.offsets[reference.unit])
            first, second = (int(node.candidates[begin + c]) for c in (reference.first, reference.second))
            factors = {first: 1, second: -1} if first != second else {}
        choice = {t: pieces[s].astype(np.int64) for t, s in self._slices.items() if t < cut}
        add = self._arithmetic.add
        row, total = exact_affine(self._network, node.input, factors, choice, self._arithmetic)
        total = add(total, exact_vector(-knot))
        if self._frame is not None:
            origin, basis = self._frame
            total = add(total, dot(row, origin))
            return _joined([dot(row, b) for b in basis], total)
        parts = [row._replace(numbers=[n]) for n in row.numbers]
        return _joined(parts, total)


def _joined(parts: list[ExactVector], total: ExactVector) -> list[int]:
    every = [*parts, total]
    exponent = min(p.exponent for p in every)
    shared = lcm(*(p.denominator for p in every))
    return [(p.numbers[0] << (p.exponent - exponent)) * (shared // p.denominator) for p in every]
