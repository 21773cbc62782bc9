"""Which channels does a convolution read that are multiples of others? Their weights become one: `merged_channels`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reluatlas.arithmetic.exact_sums import times
from reluatlas.arithmetic.floats import mantissas
from reluatlas.network.operators import Convolution
from reluatlas.network.record import Affine
from reluatlas.simplification.draft import Draft
from reluatlas.simplification.rows import Rows, rows_of
from reluatlas.typing import FloatArray


def merged_channels(draft: Draft) -> Draft:
    """Return a draft whose convolutions read, of channels that are multiples of each other, one alone.

    So where `w_1 + c w_2` is a float64 number without rounding for all weights of the two channels; else both stay.
    """
    known: dict[int, Rows | None] = {}
    nodes = list(draft.nodes)
    for t, node in enumerate(nodes):
        if not isinstance(node, Affine) or not any(isinstance(o, Convolution) for o in node.operators):
            continue
        operators = []
        for source, operator in zip(node.inputs, node.operators, strict=True):
            if isinstance(operator, Convolution) and operator.groups == 1:
                if source not in known:
                    known[source] = rows_of(nodes[source])
                rows = known[source]
                operator = operator if rows is None else _merged(operator, rows)
            operators.append(operator)
        nodes[t] = replace(node, operators=tuple(operators))
    return replace(draft, nodes=tuple(nodes))


def _merged(operator: Convolution, rows: Rows) -> Convolution:
    weight = operator.weight
    first: dict[bytes, tuple[int, int, int]] = {}
    man, exp = mantissas(rows.value)
    for c in range(weight.shape[1]):
        start, end = rows.starts[c * operator.n_positions], rows.starts[(c + 1) * operator.n_positions]
        if start == end or not weight[:, c].any():
            continue
        run = slice(int(start), int(end))
        odd = int(np.gcd.reduce(man[run])) * (1 if man[run][0] > 0 else -1)
        exponent = int(exp[run][0])
        at = rows.row[run] - c * operator.n_positions
        parts = (at, rows.source[run], rows.column[run], man[run] // odd, exp[run].astype(np.int64) - exponent)
        key = b"|".join(part.tobytes() for part in parts)
        if key not in first:
            first[key] = (c, odd, exponent)
            continue
        base, its_odd, its_exponent = first[key]
        if odd % its_odd:
            continue
        added = _added(weight[:, base], weight[:, c], float(np.ldexp(odd // its_odd, exponent - its_exponent)))
        if added is not None:
            weight = weight.copy()
            weight[:, base], weight[:, c] = added, 0.0
    return operator if weight is operator.weight else replace(operator, weight=weight)


def _added(one: FloatArray, other: FloatArray, factor: float) -> FloatArray | None:
    """Return `one + factor * other`; None where a number would be rounded."""
    product, is_exact = times(other, np.full(other.shape, factor))
    total = one + product
    part = total - one
    lost = (one - (total - part)) + (product - part)
    return total if is_exact.all() and np.isfinite(total).all() and not lost.any() else None
