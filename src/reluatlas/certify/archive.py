"""How are certificates of cells kept? In one `.npz` file without pickle, to be checked by anyone at any time.

Like the check itself, this shares nothing with the search: a file is plain numbers and the domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.certify.check import CheckReport, check_certificate
from reluatlas.certify.domains import domain_of, head_of, sides_of
from reluatlas.certify.form import CellCertificate, Key
from reluatlas.domain import Domain
from reluatlas.errors import DimensionError
from reluatlas.network.record import Graph
from reluatlas.storage.archive import Archive, Members, json_array, json_value

ARCHIVE = Archive("reluatlas cell certificates", 2, what="a file of certificates", again="Write it again")


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

    Returns
    -------
    None

    Raises
    ------
    ResultFileError
        When the file cannot be written there; nothing is left behind.

    Guarantees
    ----------
    Every number is kept exactly; equal certificates give equal files.

    Cost
    ----
    A few bytes for each number of a certificate; points that float64 does not hold take their digits.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> cell = ra.cell_at(net, [0.5, -0.25])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ra.certify.save_certificates(Path(folder) / "cells.npz", cell.domain, [cell.certificate()])
    ...     [path.name for path in Path(folder).iterdir()]
    ['cells.npz']
    """
    kept = [c if isinstance(c, Packed) else packed(c) for c in given]
    ARCHIVE.write(path, head_of(domain) | (kept[0].shared if kept else {}), _arrays(domain, kept))


def _arrays(domain: Domain, given: Sequence[Packed]) -> dict[str, NDArray]:
    exact: dict[str, list[str]] = {}
    first = len(given)  # points: those inside of all cells, then those beyond all facets
    for i, c in enumerate(given):
        exact |= {str(i if place == 0 else first + place - 1): text for place, text in c.exact.items()}
        first += len(c.facets)
    points = [c.points[:1] for c in given] + [c.points[1:] for c in given]
    arrays = {
        **sides_of(domain),
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

    Returns
    -------
    Domain, list of CellCertificate
        Where the cells lie, and what proves their facets.

    Raises
    ------
    ResultFileError
        When the file is missing, truncated, of another version, not such a file, or changed since it was written.

    Cost
    ----
    Reads the file once, and checks its sums.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> cell = ra.cell_at(net, [0.5, -0.25])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ra.certify.save_certificates(Path(folder) / "cells.npz", cell.domain, [cell.certificate()])
    ...     domain, (proof,) = ra.certify.load_certificates(Path(folder) / "cells.npz")
    >>> domain, proof.pattern.tolist()
    (Space(n_inputs=2), [1, 0])
    """
    with ARCHIVE.opening(path) as (head, arrays):
        domain = domain_of(head, arrays)
        return domain, _certificates(head, arrays)


def check_file(net: Graph, path: str | Path) -> list[CheckReport]:
    """Return what an independent check says of each certificate in a file: from the weights, in whole numbers.

    Returns
    -------
    list of CheckReport
        One for each certificate, in the order of the file; true when nothing is wrong.

    Raises
    ------
    ResultFileError
        When the file cannot be read.
    DimensionError
        When its cells are those of a network with other inputs or units.

    Cost
    ----
    That of `check_certificate` for each.

    References
    ----------
    [Farkas1902], as for `check_certificate`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> cell = ra.cell_at(net, [0.5, -0.25])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ra.certify.save_certificates(Path(folder) / "cells.npz", cell.domain, [cell.certificate()])
    ...     [bool(report) for report in ra.certify.check_file(net, Path(folder) / "cells.npz")]
    [True]
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


def _certificates(head: dict[str, Any], arrays: Members) -> list[CellCertificate]:
    depth, prime = head.get("depth", 0), head.get("prime", 0)  # a file without a certificate has neither
    if not all(isinstance(v, int) and not isinstance(v, bool) for v in (depth, prime)):
        raise ValueError("`depth` and `prime` are not whole numbers")
    exact, factors = json_value(_bytes(arrays, "exact")), json_value(_bytes(arrays, "factors"))
    if not isinstance(exact, dict) or not isinstance(factors, list):
        raise ValueError("`exact` and `factors` are not lists of numbers")
    factors = [_fraction(text) for text in factors]
    n_cells = (arrays.shape("patterns") or (0,))[0]
    patterns = _numbers(arrays, "patterns", n_cells)
    columns, numbers = arrays.take("columns", np.int64, (None,)), arrays.take("points", np.float64, (None, None))
    n_facets, n_implied = (arrays.take(name, np.int64, (n_cells,)).tolist() for name in ("n_facets", "n_implied"))
    if min([0, *n_facets, *n_implied]) < 0 or len(numbers) != n_cells + sum(n_facets):
        raise ValueError("`points` are not one inside of each cell and one beyond each facet")
    facet_keys = _groups(arrays, "facet", sum(n_facets))
    implied_keys, names = (_groups(arrays, name, sum(n_implied)) for name in ("implied", "factor"))
    if len(factors) != sum(map(len, names)):
        raise ValueError("`factors` are not one for each row of a combination")
    values = iter(factors)

    def point(i: int) -> list[Fraction]:
        if str(i) not in exact:
            return [Fraction(v) for v in numbers[i].tolist()]
        if len(exact[str(i)]) != numbers.shape[1]:
            raise ValueError("`exact` has points of another dimension")
        return [_fraction(text) for text in exact[str(i)]]

    out, used, left = [], 0, 0
    for i in range(n_cells):
        facets = [(facet_keys[j], point(n_cells + j)) for j in range(used, used + n_facets[i])]
        implied = [
            (implied_keys[j], dict(zip(names[j], values, strict=False))) for j in range(left, left + n_implied[i])
        ]
        used, left = used + n_facets[i], left + n_implied[i]
        out.append(CellCertificate(patterns[i], depth, prime, columns, point(i), facets, implied))
    return out


def _bytes(arrays: Members, name: str) -> NDArray[np.uint8]:
    return arrays.take(name, np.uint8, (None,))


def _numbers(arrays: Members, name: str, n: int) -> NDArray[np.integer]:
    """Return an array of whole numbers; of a file without a certificate, one without numbers of any type."""
    if n == 0:
        return arrays.take(name, (np.int64, np.float64), (0,)).astype(np.int64)
    return arrays.take(name, (np.uint8, np.uint16, np.uint32, np.int32, np.int64), (n, None))


def _groups(arrays: Members, name: str, n: int) -> list[list[Key]]:
    """Return n groups of at least one row each."""
    rows = arrays.take(f"{name}_rows", np.int64, (None, 4))
    offsets = arrays.take(f"{name}_offsets", np.int64, (n + 1,))
    least = 0 if name == "factor" else 1  # a row may hold without any other
    if offsets[0] != 0 or offsets[-1] != len(rows) or np.any(offsets[1:] - least < offsets[:-1]):
        raise ValueError(f"`{name}_offsets` does not split its rows")
    keys: list[Key] = [(a, b, c, d) for a, b, c, d in rows.tolist()]
    return [keys[i:j] for i, j in pairwise(offsets.tolist())]


def _written(value: Fraction) -> str:
    return f"{value.numerator:x}/{value.denominator:x}"  # in base 16: numbers of any length are read fast


def _fraction(text: str) -> Fraction:
    numerator, _, denominator = text.partition("/")
    return Fraction(int(numerator, 16), int(denominator, 16))
