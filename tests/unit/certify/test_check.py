"""No number of a certificate can be changed so that a false list is accepted, or the check ends in an exception."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.cells.certificate import certificate_of
from reluatlas.certify.check import check_certificate
from reluatlas.certify.form import CellCertificate
from tests.convert import fractions, to_nodes
from tests.oracles.cell_facets import facets
from tests.unit.certify.test_archive import DOMAINS
from tests.zoo import FAMILIES

SQUARE = ra.Box(-1, [1, 0.75])
CASES = {
    **DOMAINS,
    "max": (FAMILIES["max_identical"](0), SQUARE),
    "pieces": (FAMILIES["leaky_abs_clip"](1), SQUARE),
    "meeting": (FAMILIES["three_lines_meet"](0), None),
    "parallel": (FAMILIES["parallel"](0), SQUARE),
    "equal": (FAMILIES["duplicate"](3), None),
}


def plain(given: CellCertificate) -> dict[str, Any]:
    """Return a certificate as lists of numbers, which can be changed."""
    return {
        "pattern": given.pattern.tolist(),
        "depth": given.depth,
        "prime": given.prime,
        "columns": given.columns.tolist(),
        "inside": list(given.inside),
        "facets": [[[list(key) for key in keys], list(beyond)] for keys, beyond in given.facets],
        "implied": [
            [[list(key) for key in keys], [[list(key), value] for key, value in multipliers.items()]]
            for keys, multipliers in given.implied
        ],
    }


def certificate(values: dict[str, Any]) -> CellCertificate:
    """Return the certificate that lists of numbers make."""
    return CellCertificate(
        np.array(values["pattern"]),
        values["depth"],
        values["prime"],
        np.array(values["columns"]),
        values["inside"],
        [([tuple(key) for key in keys], beyond) for keys, beyond in values["facets"]],
        [([tuple(k) for k in keys], {tuple(k): v for k, v in factors}) for keys, factors in values["implied"]],
    )


def places(values: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every number, as (what holds it, where)."""
    for where in list(values) if isinstance(values, dict) else range(len(values)):
        if isinstance(values[where], list):
            yield from places(values[where])
        else:
            yield values, where


def changes(value: Any) -> list[Any]:
    """Return other numbers of the same kind."""
    if isinstance(value, int):
        return [value + 1, value - 1, -value - 1, 0, 1, 10**6, 2**63 - 1, -(2**63)]
    return [
        value + 1, value * 2, value / 3, -value, Fraction(0), value * (1 + Fraction(1, 2**40)),
        value * (1 - Fraction(1, 2**40)), value + 10**500, Fraction(1, 7**900),
    ]  # fmt: skip


class Truth:
    """The facets of the cells of a network on a domain, by the oracle."""

    def __init__(self, net: ra.Network, domain: Any) -> None:
        k = domain.dim
        unit = [tuple(Fraction(int(i == j)) for j in range(k + 1)) for i in range(k)]
        self.start = (
            [(*fractions(row), Fraction(float(x))) for row, x in zip(domain.basis.T, domain.origin, strict=True)]
            if isinstance(domain, ra.Slice)
            else unit
        )
        self.sides = (
            []
            if isinstance(domain, ra.Space)
            else [
                (Fraction(float(a)), Fraction(float(b))) for a, b in zip(domain.box.low, domain.box.high, strict=True)
            ]
        )
        self.nodes = to_nodes(net)
        self.known: dict[tuple[int, ...], Any] = {}

    def is_told(self, given: CellCertificate) -> bool:
        """Return whether a certificate lists the facets of the cell of its pattern, and nothing else."""
        key = tuple(int(p) for p in given.pattern)
        if key not in self.known:
            self.known[key] = facets(self.nodes, key, self.start, self.sides)
        told = [frozenset(keys) for keys, _ in given.facets]
        return len(told) == len(set(told)) and set(told) == self.known[key]


def _cell(name):
    net, domain = CASES[name]
    k = net.n_inputs if domain is None else domain.dim
    return ra.cell_at(net, np.random.default_rng(1).uniform(-0.6, 0.6, k), domain)


@pytest.mark.parametrize("name", CASES)
def test_an_accepted_certificate_tells_the_truth_whatever_its_numbers(name):
    cell = _cell(name)
    truth = Truth(cell.network, cell.domain)
    good = certificate_of(cell)
    assert check_certificate(cell.network, cell.domain, good).is_ok and truth.is_told(good)
    values = plain(good)
    n_accepted = n_changed = 0
    for held, where in places(values):
        honest = held[where]
        for other in changes(honest):
            if other == honest:
                continue
            held[where] = other
            n_changed += 1
            changed = certificate(values)
            report = check_certificate(cell.network, cell.domain, changed)
            if report.is_ok:
                n_accepted += 1
                assert truth.is_told(changed), (where, honest, other)
            else:
                assert all(len(text) < 2000 for text in report.problems)
        held[where] = honest
    # a point inside can be another one inside; a row of a facet cannot be another row
    assert n_changed > 200 and 0 < n_accepted < 0.7 * n_changed


def wrong_things():
    return [
        None, "1", "", b"1", 1.5, float("nan"), float("inf"), [], [1], {}, (), object(), np.array([1.5]),
        np.zeros((2, 2)), 10**6000, -(10**6000), Fraction(1, 3), Ellipsis, complex(1, 2),
    ]  # fmt: skip


def holders(values: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every number and every list, as (what holds it, where)."""
    for where in list(values) if isinstance(values, dict) else range(len(values)):
        if isinstance(values[where], list):
            yield from holders(values[where])
        yield values, where


def _as_certificate(values: dict[str, Any]) -> Any:
    """Make a certificate of things that may be anything."""

    def tuples(x: Any) -> Any:
        return tuple(x) if isinstance(x, list) else x

    def factors(x: Any) -> Any:
        try:
            return {tuples(k): v for k, v in x}
        except (TypeError, ValueError):
            return x

    def entries(x: Any, second: Any) -> Any:
        if not isinstance(x, list):
            return x
        out = []
        for entry in x:
            if isinstance(entry, list) and len(entry) == 2:
                keys = [tuples(k) for k in entry[0]] if isinstance(entry[0], list) else entry[0]
                out.append((keys, second(entry[1])))
            else:
                out.append(entry)
        return out

    return CellCertificate(
        values["pattern"], values["depth"], values["prime"], values["columns"], values["inside"],
        entries(values["facets"], lambda x: x), entries(values["implied"], factors),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["reduced", "box", "slice", "max"])
def test_what_is_no_certificate_has_problems_and_no_exception(name):
    cell = _cell(name)
    truth = Truth(cell.network, cell.domain)
    values = plain(certificate_of(cell))
    n_accepted = n_changed = 0
    for held, where in holders(values):
        honest = held[where]
        for other in wrong_things():
            held[where] = other
            changed = _as_certificate(values)
            report = check_certificate(cell.network, cell.domain, changed)
            assert all(isinstance(p, str) and p.endswith(".") and len(p) < 400 for p in report.problems)
            n_changed += 1
            if report.is_ok:
                # a third is a fraction as another is, and columns are not needed without a depth
                n_accepted += 1
                assert truth.is_told(changed)
        held[where] = honest
    assert 0 < n_accepted < 0.05 * n_changed
    for thing in wrong_things():
        assert not check_certificate(cell.network, cell.domain, thing)


@pytest.mark.parametrize("prime", [0, -1, 1, 4, 2**61, 2**61 - 3, 2**64, 10**30])
def test_a_modulus_that_is_no_prime(prime):
    cell = _cell("reduced")
    good = certificate_of(cell)
    assert good.depth == 1 and check_certificate(cell.network, cell.domain, good).is_ok
    good.prime = prime
    (problem,) = check_certificate(cell.network, cell.domain, good).problems
    assert problem.startswith("`prime` is ")


def test_columns_and_layers_that_are_not_there():
    cell = _cell("reduced")
    good = certificate_of(cell)
    for name, value, says in (
        ("columns", -good.columns - 1, "`columns` is -"),
        ("columns", good.columns + 12, "`columns` is 1"),
        ("columns", good.columns.astype(float), "no whole number"),
        ("columns", good.columns[::-1][:4], "determinant"),
        ("depth", -1, "`depth` is -1; it must be from 0 to "),
        ("depth", len(cell.network.nodes), "`depth` is "),
        ("depth", 2, "determinant"),
        ("depth", 3, "coordinates, the rows"),
        ("pattern", good.pattern[:-1], "`pattern` has 8 numbers, the network 9 units"),
        ("pattern", good.pattern - 1, "the piece of unit "),
        ("pattern", good.pattern + 2, "the piece of unit 0"),
    ):  # fmt: skip
        changed = deepcopy(good)
        setattr(changed, name, value)
        problems = check_certificate(cell.network, cell.domain, changed).problems
        assert len(problems) == 1 and says in problems[0], (name, problems)
    assert not check_certificate(cell.network, ra.Space(5), good)
    assert not check_certificate(cell.network, ra.Box(-1, 1, dim=12), good)


def test_a_row_that_is_one_halfspace_with_a_facet_belongs_to_it():
    cell = _cell("equal")
    good = certificate_of(cell)
    truth = Truth(cell.network, cell.domain)
    i, (keys, beyond) = next((i, f) for i, f in enumerate(good.facets) if len(f[0]) > 1)
    apart = deepcopy(good)
    apart.facets[i] = keys[:1], beyond
    # with the right multiplier it follows from the facet: true, and still not the whole facet
    for factor in (1, 2, Fraction(1, 2)):
        apart.implied = [*good.implied, (list(keys[1:]), {keys[0]: Fraction(factor)})]
        assert not check_certificate(cell.network, cell.domain, apart) and not truth.is_told(apart)
