"""How far off is a network as it is written, or as a runtime computes it? Bounds on a domain: `written_bounds`.

A forward error analysis: if a tensor is off by at most e, and its entries are at most m in absolute value on the
domain, what an affine node makes of it is off by at most `|W'| e + |W' - W| m`, where W' are the weights as written;
and, where it is computed in floating point, by the rounding of its products and sums besides, in whatever order they
are summed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np

from reluatlas.domain import Box, Segment, Slice
from reluatlas.exporters.plan import jumps
from reluatlas.network.operators import LinearOperator, Sparse, apply_operator, mapped, terms
from reluatlas.network.record import Affine, Breakpoints, Graph, Input
from reluatlas.shown import Shown
from reluatlas.stable.walk import Possible, frame_of, possibilities
from reluatlas.typing import FloatArray

_SLACK = 1.0 + 1e-9
_LEAST = {4: 2.0**-125, 8: 2.0**-1021}
_MOST = {4: 2.0**127, 8: 2.0**1023}
_EXTRA = 8
"""Roundings beside those of the terms of a sum: a scale, a mean, sums of several operators' parts."""


@dataclass(frozen=True, eq=False, repr=False)
class Written(Shown):
    """A file, and how far off what it holds is from the network on the domain.

    Attributes
    ----------
    path : Path
    dtype : str
        "float64" or "float32".
    weights_bound : float
        In real arithmetic, with the weights as they are written, no output differs by more: 0.0 where none was rounded.
    runtime_bound : float
        As computed in that precision, inputs rounded to it, by sums in any order, no output differs by more.
    """

    path: Path
    dtype: str
    weights_bound: float
    runtime_bound: float


def written_bounds(net: Graph, domain: Box | Slice | Segment | None, dtype: np.dtype, path: Path) -> Written:
    """Return bounds on how far a network's outputs are off when it is written in a precision."""
    if domain is None:
        is_same = dtype == np.float64 and not any(
            jumps(n).any() for n in net.nodes if isinstance(n, Breakpoints) and not n.is_relu
        )
        return Written(path, dtype.name, 0.0 if is_same else float("inf"), float("inf"))
    with np.errstate(all="ignore"):
        sizes = magnitudes(net, domain)
        unit = float(np.finfo(dtype).eps) / 2
        largest = [float(np.max(_Errors(net, sizes, dtype, u).at_output(), initial=0.0)) for u in (0.0, unit)]
    return Written(path, dtype.name, *(value if np.isfinite(value) else float("inf") for value in largest))


def magnitudes(net: Graph, domain: Box | Slice | Segment) -> list[FloatArray]:
    """Return how large the entries of each tensor are at most on a domain."""
    known = {found.node: found for found in possibilities(net, domain) if isinstance(found, Possible)}
    sizes: list[FloatArray] = []
    for t, node in enumerate(net.nodes):
        if isinstance(node, Input):
            origin, basis, low, high = frame_of(domain)
            most = np.abs(origin) + np.maximum(np.abs(low), np.abs(high)) @ np.abs(basis)
            sizes.append(most * _SLACK)
        elif isinstance(node, Affine):
            total = np.abs(node.bias)
            for s, operator in zip(node.inputs, node.operators, strict=True):
                total = total + apply_operator(mapped(operator, np.abs), sizes[s][None])[0]
            sizes.append(total * _SLACK)
        elif isinstance(node, Breakpoints):
            found = known[t]
            most = np.minimum(np.maximum(np.abs(found.low), np.abs(found.high)), sizes[node.input])
            if node.is_relu:
                sizes.append(np.minimum(np.maximum(found.high, 0.0), most))
            else:
                slope, shift = np.abs(node.slopes).max(axis=1), np.abs(node.intercepts).max(axis=1)
                sizes.append((slope * most + shift) * _SLACK)
        else:
            sizes.append(np.maximum.reduceat(sizes[node.input][node.candidates], node.offsets[:-1]))
    return sizes


class _Errors:
    """Follows how far tensors are off, node by node; `unit` is the unit roundoff, 0 for real arithmetic."""

    def __init__(self, net: Graph, sizes: list[FloatArray], dtype: np.dtype, unit: float) -> None:
        self.net, self.sizes, self.dtype, self.unit = net, sizes, dtype, unit
        self.least = _LEAST[dtype.itemsize] if unit else 0.0

    def at_output(self) -> FloatArray:
        """Return how far each output is off at most."""
        out: list[FloatArray] = []
        for node, size in zip(self.net.nodes, self.sizes, strict=True):
            if isinstance(node, Input):
                # a point is rounded once; half of float64's own roundoff is far below that of float32
                own = self.unit if self.dtype == np.float32 else 0.0
                error = np.full(prod(node.shape), self.least) + own * size
            elif isinstance(node, Affine):
                error = self._affine(node, out)
            elif isinstance(node, Breakpoints):
                error = self._units(node, out[node.input])
            else:
                error = np.maximum.reduceat(out[node.input][node.candidates], node.offsets[:-1])
            error = np.where(size + error < _MOST[self.dtype.itemsize], error, np.inf)
            out.append(np.where(np.isnan(error), np.inf, error))
        return out[self.net.output]

    def _rounded(self, values: FloatArray) -> FloatArray:
        return np.abs(values.astype(self.dtype).astype(np.float64))

    def _lost(self, values: FloatArray) -> FloatArray:
        return np.abs(values.astype(self.dtype).astype(np.float64) - values)

    def _gamma(self, n: int) -> float:
        share = n * self.unit
        return share / (1.0 - share) if share < 1.0 else float("inf")

    def _affine(self, node: Affine, before: list[FloatArray]) -> FloatArray:
        error, size, n_terms = self._lost(node.bias), self._rounded(node.bias), _EXTRA + len(node.inputs)
        for s, operator in zip(node.inputs, node.operators, strict=True):
            weights = _mapped(operator, self._rounded)
            both = np.stack([before[s], self.sizes[s] + before[s]])
            carried, worked = apply_operator(weights, both)
            error = error + carried + apply_operator(_mapped(operator, self._lost), self.sizes[s][None])[0]
            size = size + worked
            n_terms += terms(operator)
        if self.unit:
            error = error + self._gamma(n_terms) * size + n_terms * self.least
        return error * _SLACK

    def _units(self, node: Breakpoints, before: FloatArray) -> FloatArray:
        if node.is_relu:
            return before
        held = np.isfinite(node.knots)
        knots = np.where(held, node.knots, 0.0)
        slopes, lost = self._rounded(node.slopes), self._lost(node.slopes)
        pair, lost_pair = slopes[:, :-1] + slopes[:, 1:], lost[:, :-1] + lost[:, 1:]
        most = (self.sizes[node.input] + before)[:, None]
        reach = most + np.abs(knots) + self._lost(knots)
        error = slopes.max(axis=1) * before + lost[:, 0] * most[:, 0] + self._lost(node.intercepts[:, 0])
        error = error + np.where(held, lost_pair * reach + pair * self._lost(knots), 0.0).sum(axis=1)
        error = error + self._lost(node.intercepts).max(axis=1) + jumps(node)
        if self.unit:
            size = slopes[:, 0] * most[:, 0] + np.abs(node.intercepts).max(axis=1)
            size = size + np.where(held, pair * reach, 0.0).sum(axis=1)
            n_terms = _EXTRA + 4 * knots.shape[1]
            error = error + self._gamma(n_terms) * size + n_terms * self.least
        return error * _SLACK


def _mapped(operator: LinearOperator, function: Callable[[FloatArray], FloatArray]) -> LinearOperator:
    """Return an operator with other coefficients; a denominator stays, as formats keep it."""
    if isinstance(operator, Sparse):
        return replace(operator, values=function(operator.values))
    return mapped(operator, function)
