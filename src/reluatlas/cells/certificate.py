"""How is what the search found handed to the checker? As plain numbers, named by units instead of positions."""

from __future__ import annotations

import numpy as np

from reluatlas.arithmetic.rationals import over_one
from reluatlas.cells.record import CellRecord
from reluatlas.cells.rows import RowOf
from reluatlas.certify.check import CheckReport, check_certificate
from reluatlas.certify.form import CellCertificate, Key
from reluatlas.errors import ArgumentError


def certificate_of(cell: CellRecord) -> CellCertificate:
    """Return what proves that a cell's facets are its facets.

    Raises
    ------
    ArgumentError
        When rows are undecided: the search was stopped.
    """
    if cell.found.undecided:
        raise ArgumentError(
            f"{len(cell.found.undecided)} rows of the cell are undecided. Ask for it with a larger `max_seconds`."
        )
    chart = cell.chart

    def key(c: int) -> Key:
        of = cell.system.owner[c]
        if isinstance(of, RowOf):
            return chart.inner.cuts.index(of.node), of.unit, of.which, of.side
        return -1, of[0], 0, of[1]

    facets = [([key(c) for c in f.constraints], over_one(f.beyond).fractions) for f in cell.found.facets]
    implied = []
    for group in cell.found.implied:
        # a row that is small beside its parts, or a bound, is kept on another scale
        unit = cell.system.unit_of
        multipliers = {key(d): m * unit(d) / unit(group.constraints[0]) for d, m in group.multipliers.items()}
        implied.append(([key(c) for c in group.constraints], multipliers))
    proof = chart.proof
    return CellCertificate(
        pattern=cell.pattern.copy(),
        depth=chart.depth,
        prime=2 if proof is None else proof.prime,
        columns=np.zeros(0, dtype=np.int64) if proof is None else proof.columns,
        inside=over_one(cell.inside).fractions,
        facets=facets,
        implied=implied,
    )


def check_cell(cell: CellRecord) -> CheckReport:
    """Return what an independent check says of a cell's facets: from the weights, in whole numbers."""
    return check_certificate(cell.network, cell.domain, certificate_of(cell))
