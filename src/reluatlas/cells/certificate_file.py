"""How are certificates of cells kept? In one `.npz` file without pickle, to be checked by anyone at any time.

Like the check itself, this shares nothing with the search: a file is plain numbers and the domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.archives import Archive, json_array, json_value
from reluatlas.cells.certificate_form import CellCertificate, Key
from reluatlas.cells.check_cell import CheckReport, check_certificate
from reluatlas.domain import Box, Slice, Space
from reluatlas.errors import DimensionError
from reluatlas.network.graph import Network

ARCHIVE = Archive("reluatlas cell certificates", 1, what="a file of certificates", again="Write it again")
Domain = Box | Slice | Space


@dataclass(frozen=True, eq=False)
class Packed:
    """A certificate as small as it is in a file; made by `packed`."""

    shared: dict[str, Any]
    columns: NDArray[np.int64]
    pattern: NDArray[np.integer]
    points: NDArray[np.float64]
    exact: dict[int, list[str]]
    facets: list[list[Key]]
    implied: list[list[Key]]
    factors: list[dict[Key, str]]


def packed(given: CellCertificate) -> Packed:
    """Return a certificate in arrays: a tenth of the memory of its fractions."""
    points, exact = _as_floats([given.inside, *(beyond for _, beyond in given.facets)])
    return Packed(
        shared={"depth": given.depth, "prime": given.prime},
        columns=given.columns,
        pattern=given.pattern,
        points=points,
        exact=exact,
        facets=[keys for keys, _ in given.facets],
        implied=[keys for keys, _ in given.implied],
        factors=[{key: _written(value) for key, value in multipliers.items()} for _, multipliers in given.implied],
    )


def save_certificates(path: str | Path, domain: Domain, given: Sequence[CellCertificate | Packed]) -> None:
    """Write certificates of cells of one network on one domain (under a temporary name, then renamed).

    Raises
    ------
    ResultFileError
        When the file cannot be written there; nothing is left behind.

    Guarantees
    ----------
    Every number is kept exactly; equal certificates give equal files.
    """
    kept = [c if isinstance(c, Packed) else packed(c) for c in given]
    head = {"domain": type(domain).__name__, "n_inputs": domain.n_inputs}
    ARCHIVE.write(path, head | (kept[0].shared if kept else {}), _arrays(domain, kept))


def _arrays(domain: Domain, given: Sequence[Packed]) -> dict[str, NDArray]:
    exact: dict[str, list[str]] = {}
    first = len(given)  # points: those inside of all cells, then those beyond all facets
    for i, c in enumerate(given):
        exact |= {str(i if place == 0 else first + place - 1): text for place, text in c.exact.items()}
        first += len(c.facets)
    points = [c.points[:1] for c in given] + [c.points[1:] for c in given]
    arrays = {
        **_sides(domain),
        "columns": given[0].columns if given else np.zeros(0, dtype=np.int64),
        "patterns": np.array([c.pattern for c in given]),
        "n_facets": np.array([len(c.facets) for c in given], dtype=np.int64),
        "n_implied": np.array([len(c.implied) for c in given], dtype=np.int64),
        "points": np.concatenate(points) if points else np.zeros((0, 0)),
        "exact": json_array(exact),
        "factors": json_array([text for c in given for group in c.factors for text in group.values()]),
    }
    groups: dict[str, list[list[Key]]] = {
        "facet": [keys for c in given for keys in c.facets],
        "implied": [keys for c in given for keys in c.implied],
        "factor": [list(group) for c in given for group in c.factors],
    }
    for name, rows in groups.items():
        arrays[f"{name}_rows"] = np.array([key for keys in rows for key in keys], dtype=np.int64).reshape(-1, 4)
        arrays[f"{name}_offsets"] = np.concatenate([[0], np.cumsum([len(keys) for keys in rows])]).astype(np.int64)
    return arrays


def load_certificates(path: str | Path) -> tuple[Domain, list[CellCertificate]]:
    """Return the domain and the certificates that `save_certificates` wrote.

    Raises
    ------
    ResultFileError
        When the file is missing, truncated, of another version, or not such a file.
    """
    with ARCHIVE.opening(path) as (head, arrays):
        return _domain(head, arrays), _certificates(head, arrays)


def check_file(net: Network, path: str | Path) -> list[CheckReport]:
    """Return what an independent check says of each certificate in a file: from the weights, in whole numbers.

    A certificate whose numbers are out of range has problems; a file that does not hold certificates is refused.

    Raises
    ------
    ResultFileError
        When the file cannot be read.
    DimensionError
        When its cells are those of a network with other inputs or units.
    """
    domain, given = load_certificates(path)
    n_units = sum(prod(net.nodes[t].shape) for t in net.cuts)
    if domain.n_inputs != net.n_inputs or any(c.pattern.size != n_units for c in given):
        n = given[0].pattern.size if given else 0
        raise DimensionError(
            f"`{path}` has cells of {n} units in {domain.n_inputs} inputs but the network has {n_units} units and "
            f"{net.n_inputs} inputs. Pass the network that they belong to."
        )
    return [check_certificate(net, domain, c) for c in given]


def _as_floats(points: Sequence[Sequence[Fraction]]) -> tuple[NDArray[np.float64], dict[int, list[str]]]:
    """Return points as float64, and as texts those that it does not hold exactly."""
    out, exact = np.array([[float(v) for v in point] for point in points]), {}
    for i, point in enumerate(points):
        if any(Fraction(v) != w for v, w in zip(out[i].tolist(), point, strict=True)):
            exact[i] = [_written(v) for v in point]
    return out, exact


def _certificates(head: dict[str, Any], arrays: dict[str, NDArray]) -> list[CellCertificate]:
    exact, factors = json_value(arrays["exact"]), [_fraction(text) for text in json_value(arrays["factors"])]
    patterns, points, columns = arrays["patterns"], arrays["points"], _wholes(arrays["columns"])
    counts = list(zip(_wholes(arrays["n_facets"]), _wholes(arrays["n_implied"]), strict=True))
    n_cells = len(counts)
    facet_rows, implied_rows, factor_rows = (_groups(arrays, name) for name in ("facet", "implied", "factor"))
    n_factors = [len(keys) for keys in factor_rows]
    n_facets, n_implied = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
    if any(n < 0 for pair in counts for n in pair) or (len(patterns), len(points)) != (n_cells, n_cells + n_facets):
        raise ValueError("its counts do not agree with its arrays")
    if (len(facet_rows), len(implied_rows), len(factor_rows)) != (n_facets, n_implied, n_implied):
        raise ValueError("its counts do not agree with its rows")
    if len(factors) != sum(n_factors) or not set(exact) <= {str(i) for i in range(len(points))}:
        raise ValueError("its fractions do not agree with its rows")

    def point(i: int) -> list[Fraction]:
        if str(i) in exact:
            return [_fraction(text) for text in exact[str(i)]]
        return [Fraction(v) for v in points[i].tolist()]

    facets = iter([(keys, point(n_cells + j)) for j, keys in enumerate(facet_rows)])
    left = iter(factors)
    implied = iter(
        [
            (keys, dict(zip(names, islice(left, len(names)), strict=True)))
            for keys, names in zip(implied_rows, factor_rows, strict=True)
        ]
    )
    depth, prime = head.get("depth", 0), head.get("prime", 2)  # no cells: neither
    return [
        CellCertificate(
            pattern, depth, prime, columns, point(i), list(islice(facets, n_facets)), list(islice(implied, n_implied))
        )
        for i, (pattern, (n_facets, n_implied)) in enumerate(zip(patterns, counts, strict=True))
    ]


def _sides(domain: Domain) -> dict[str, NDArray]:
    if isinstance(domain, Space):
        return {}
    sides = {"low": domain.box.low, "high": domain.box.high}
    return sides | ({"origin": domain.origin, "basis": domain.basis} if isinstance(domain, Slice) else {})


def _domain(head: dict[str, Any], arrays: dict[str, NDArray]) -> Domain:
    if head["domain"] == "Space":
        return Space(int(head["n_inputs"]))
    box = Box(arrays["low"], arrays["high"])
    return box if head["domain"] == "Box" else Slice(arrays["origin"], arrays["basis"], box=box)


def _groups(arrays: dict[str, NDArray], name: str) -> list[list[Key]]:
    """Return groups of rows: those between one offset and the next."""
    rows, offsets = arrays[f"{name}_rows"], _wholes(arrays[f"{name}_offsets"]).tolist()
    if rows.dtype.kind != "i" or rows.ndim != 2 or rows.shape[1] != 4:
        raise ValueError(f"`{name}_rows` are not four whole numbers each")
    if not offsets or offsets[0] != 0 or offsets[-1] != len(rows) or any(a > b for a, b in pairwise(offsets)):
        raise ValueError(f"`{name}_offsets` do not divide its rows")
    keys = [(a, b, c, d) for a, b, c, d in rows.tolist()]
    return [keys[a:b] for a, b in pairwise(offsets)]


def _wholes(array: NDArray) -> NDArray[np.int64]:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError("an array is no list of whole numbers")
    return array


def _written(value: Fraction) -> str:
    return f"{value.numerator:x}/{value.denominator:x}"  # in base 16: numbers of any length are read fast


def _fraction(text: str) -> Fraction:
    numerator, _, denominator = text.partition("/")
    below = int(denominator, 16)
    if below < 1:
        raise ValueError("a fraction has a denominator that is not positive")
    return Fraction(int(numerator, 16), below)
