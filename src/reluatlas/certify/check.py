"""Are a cell's facets what they are said to be? Checked from the network's weights, in whole numbers.

Shares nothing with the search: the rows are composed again, by other code, and every claim is tested exactly.
A certificate is plain numbers. Whatever they are, no certificate of a list of facets that is wrong is accepted: the
check names what does not hold. Other numbers may prove the same list: a point inside, another one inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm

import numpy as np

from reluatlas.certify.form import CellCertificate, Key, checked_form
from reluatlas.certify.whole import Row, Tensor, affine, chosen, fractions, identity, matrix_of, start
from reluatlas.deadline import look
from reluatlas.domain import Domain, Space
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max
from reluatlas.shown import Shown


@dataclass(repr=False)
class CheckReport(Shown):
    """What a check found.

    Attributes
    ----------
    problems : list of str
        Empty when everything holds.
    n_rows, n_facets, n_implied : int
    """

    problems: list[str] = field(default_factory=list)
    n_rows: int = 0
    n_facets: int = 0
    n_implied: int = 0

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.is_ok


def check_certificate(net: Graph, domain: Domain, given: CellCertificate) -> CheckReport:
    """Return what is wrong with a certificate; nothing, when its facets are those of the cell of its pattern.

    Returns
    -------
    CheckReport
        Is true when nothing is wrong.

    Guarantees
    ----------
    Exact. A certificate is accepted only when the rows that it lists as facets are the facets of the cell, each with
    all rows that are the same halfspace, and the cell has an interior. One that cannot be checked at all, as its
    numbers are of other types, out of range or too few, has problems too: no certificate ends in an exception.

    Cost
    ----
    Composes the rows of the cell once in whole numbers; one product of row and point for each row and each facet.

    References
    ----------
    [Farkas1902]: a row is implied when it is a sum of others with multipliers of at least 0.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> cell = ra.cell_at(net, [0.5, -0.25])
    >>> proof = cell.certificate()
    >>> ra.certify.check_certificate(net, cell.domain, proof).n_facets
    2
    >>> proof.facets.pop()[0]  # the second row: its side of the first unit
    [(0, 1, 0, 1)]
    >>> bool(ra.certify.check_certificate(net, cell.domain, proof))
    False
    """
    report = CheckReport()
    say = report.problems.append
    taken = checked_form(net, domain, given, say)
    if taken is None:
        return report
    given = taken
    report.n_facets, report.n_implied = len(given.facets), len(given.implied)
    if given.depth and not isinstance(domain, Space):
        say("the coordinates are reduced although the domain has bounds.")
        return report
    if given.depth and not _is_onto(net, given):
        say("the determinant that shows that every z is taken is zero.")
        return report
    rows, constants = _rows(net, domain, given)
    for key, (value, side) in constants.items():
        if value < 0 or (value == 0 and side < 0):
            say(f"row {key} is constant and does not hold: the pattern has no cell.")
    report.n_rows = len(rows)
    told = [key for keys, _ in given.facets for key in keys] + [key for keys, _ in given.implied for key in keys]
    if sorted(told) != sorted(rows):
        say(f"{len(told)} rows are told of, {len(set(told) & set(rows))} of the cell's {len(rows)}.")
        return report
    order = list(rows)
    points = [given.inside, *(beyond for _, beyond in given.facets)]
    if any(len(z) != len(rows[order[0]][0]) for z in points if order):
        say("a point has another number of coordinates than the rows.")
        return report
    signs = _signs([rows[key] for key in order], points)
    if any(s <= 0 for s in signs[0]):
        say(f"the point inside violates row {order[next(i for i, s in enumerate(signs[0]) if s <= 0)]}.")
    gone = {key for keys, _ in given.implied for key in keys}
    for (keys, _), sign in zip(given.facets, signs[1:], strict=True):
        outside = {key for key, s in zip(order, sign, strict=True) if s <= 0} - gone
        strict = {key for key, s in zip(order, sign, strict=True) if s < 0}
        if outside != set(keys) or not outside <= strict:
            say(f"the point beyond the facet of {keys[0]} does not violate its rows alone.")
        if any(not _same(rows[keys[0]], rows[key]) for key in keys[1:]):
            say(f"the rows {keys} are not one halfspace.")
    heads: dict[tuple[int, bool, Fraction], list[Key]] = {}
    for keys, _ in given.facets:
        heads.setdefault(_one_number(rows[keys[0]]), []).append(keys[0])
    left = set(order)
    for keys, multipliers in given.implied:
        look()
        for head in heads.get(_one_number(rows[keys[0]]), ()):
            if _same(rows[head], rows[keys[0]]):
                say(f"row {keys[0]} is one halfspace with row {head}, and not told of with that facet.")
        left -= set(keys)
        if any(not _same(rows[keys[0]], rows[key]) for key in keys[1:]):
            say(f"the rows {keys} are not one halfspace.")
        if not _follows(rows, keys[0], multipliers, left):
            say(f"row {keys[0]} does not follow from its multipliers.")
    return report


def _one_number(row: Row) -> tuple[int, bool, Fraction]:
    """Return what is equal for rows that are one halfspace, and seldom for others."""
    at = next(j for j, v in enumerate(row[0]) if v)
    return at, row[0][at] > 0, row[1] / abs(row[0][at])


def _same(row: Row, other: Row) -> bool:
    at = next(j for j, v in enumerate(row[0]) if v)
    factor = other[0][at] / row[0][at]
    return factor > 0 and other[1] == factor * row[1] and all(
        w == factor * v for v, w in zip(row[0], other[0], strict=True)
    )  # fmt: skip


def _follows(rows: dict[Key, Row], key: Key, multipliers: dict[Key, Fraction], left: set[Key]) -> bool:
    rest, room = list(rows[key][0]), rows[key][1]
    for other, factor in multipliers.items():
        if factor < 0 or other not in left:
            return False
        rest = [v - factor * w for v, w in zip(rest, rows[other][0], strict=True)]
        room -= factor * rows[other][1]
    # what remains is taken by rows that bound one coordinate
    bounds: dict[tuple[int, bool], Fraction] = {}
    for other in left:
        a, b = rows[other]
        used = [j for j, v in enumerate(a) if v]
        if len(used) == 1:
            at = used[0], a[used[0]] > 0
            reach = b / abs(a[used[0]])
            bounds[at] = min(reach, bounds.get(at, reach))
    for j, v in enumerate(rest):
        if v:
            if (j, v > 0) not in bounds:
                return False
            room -= abs(v) * bounds[j, v > 0]
    return room >= 0


def _signs(rows: list[Row], points: list[list[Fraction]]) -> list[list[int]]:
    """Return the sign of `b - a . z` of every row at every point, as one product of whole matrices."""
    from flint import fmpz_mat

    if not rows:
        return [[] for _ in points]
    left, right = [], []
    for z in points:
        shared = lcm(*(v.denominator for v in z))
        left.append([shared, *(-v.numerator * (shared // v.denominator) for v in z)])
    for a, b in rows:
        look()
        shared = lcm(b.denominator, *(v.denominator for v in a))
        right.append([int(b * shared), *(v.numerator * (shared // v.denominator) for v in a)])
    product = fmpz_mat(left) * fmpz_mat(right).transpose()
    values = [int(v) for v in product.entries()]
    n = len(rows)
    return [[(v > 0) - (v < 0) for v in values[i * n : (i + 1) * n]] for i in range(len(points))]


def _rows(net: Graph, domain: Domain, given: CellCertificate) -> tuple[dict[Key, Row], dict[Key, tuple[Fraction, int]]]:
    """Return all rows that are not constant, and `b` and the side of those that are."""
    tensors: dict[int, Tensor] = {}
    k = domain.dim if given.depth == 0 else int(np.prod(net.nodes[given.depth].shape))
    column = 0
    rows: dict[Key, Row] = {}
    constants: dict[Key, tuple[Fraction, int]] = {}
    cuts = list(net.cuts)
    for t, node in enumerate(net.nodes):
        if t < given.depth:
            continue
        look()
        if t == given.depth:
            tensors[t] = start(domain) if t == 0 else identity(k)
        elif isinstance(node, Affine):
            tensors[t] = affine(node, tensors, k)
        elif isinstance(node, Breakpoints | Max):
            units = int(np.prod(node.shape))
            pieces = [int(p) for p in given.pattern[column : column + units]]
            column += units
            source = fractions(tensors[node.input])
            for key, (a, b) in _demands(cuts.index(t), node, source, pieces):
                look()
                if any(a):
                    rows[key] = a, b
                else:
                    constants[key] = b, key[3] or (-1 if key[2] < pieces[key[1]] else 1)
            tensors[t] = chosen(node, source, pieces, k)
    if not isinstance(domain, Space):
        for j in range(k):
            unit = [Fraction(int(i == j)) for i in range(k)]
            rows[(-1, j, 0, 1)] = unit, Fraction(float(domain.box.high[j]))
            rows[(-1, j, 0, -1)] = [-v for v in unit], -Fraction(float(domain.box.low[j]))
    return rows, constants


def _demands(cut: int, node: Breakpoints | Max, source: list[Row], pieces: list[int]) -> Iterator[tuple[Key, Row]]:
    for i, p in enumerate(pieces):
        if isinstance(node, Breakpoints):
            a, c = source[i]
            knots = [Fraction(float(v)) for v in node.knots[i] if np.isfinite(v)]
            if p < len(knots):
                yield (cut, i, p, 1), (a, knots[p] - c)
            if p > 0:
                yield (cut, i, p - 1, -1), ([-v for v in a], c - knots[p - 1])
        else:
            window = node.candidates[node.offsets[i] : node.offsets[i + 1]].tolist()
            best, top = source[window[p]]
            for place, entry in enumerate(window):
                # the first of equal candidates wins: behind it in the window, one that is the same entry does not
                if entry != window[p] or place < p:
                    a, c = source[entry]
                    yield (cut, i, place, 0), ([v - w for v, w in zip(a, best, strict=True)], top - c)


def _is_onto(net: Graph, given: CellCertificate) -> bool:
    from flint import nmod_mat

    product = None
    for t, node in enumerate(net.nodes[1 : given.depth + 1], start=1):
        if not isinstance(node, Affine) or node.inputs != (t - 1,) or isinstance(net.nodes[0], Input) is False:
            return False
        matrix, _ = matrix_of(node.operators[0])
        product = matrix if product is None else matrix * product
    readers = [n for n in net.nodes[given.depth + 1 :] if isinstance(n, Affine) for s in n.inputs if s < given.depth]
    readers += [n for n in net.nodes[given.depth + 1 :] if isinstance(n, Breakpoints | Max) and n.input < given.depth]
    if product is None or readers:
        return False
    m = product.nrows()
    columns = [int(c) for c in given.columns]
    if len(columns) != m or len(set(columns)) != m:
        return False
    chosen = [int(product[i, c]) % given.prime for i in range(m) for c in columns]
    return int(nmod_mat(m, m, chosen, given.prime).det()) != 0
