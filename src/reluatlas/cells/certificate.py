"""How is what the search found handed to the checker? As plain numbers, named by units instead of positions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from reluatlas.arithmetic.rationals import ratio_of
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
    chart, system = cell.chart, cell.system.system

    def key(c: int) -> Key:
        of = cell.system.owner[c]
        if isinstance(of, RowOf):
            return chart.inner.cuts.index(of.node), of.unit, of.which, of.side
        return -1, of[0], 0, of[1]

    def whole(c: int) -> Fraction:
        # a row that is small beside its parts is kept on another scale
        return Fraction(1) if c >= system.g else cell.system.unit_of(c)

    facets = [([key(c) for c in f.constraints], ratio_of(f.beyond).fractions) for f in cell.found.facets]
    implied = []
    for group in cell.found.implied:
        target = whole(group.constraints[0])
        multipliers = {key(d): m * whole(d) / target for d, m in group.multipliers.items()}
        implied.append(([key(c) for c in group.constraints], multipliers))
    proof = chart.proof
    return CellCertificate(
        pattern=cell.pattern.copy(),
        depth=chart.depth,
        prime=2 if proof is None else proof.prime,
        columns=np.zeros(0, dtype=np.int64) if proof is None else proof.columns,
        inside=ratio_of(cell.inside).fractions,
        facets=facets,
        implied=implied,
    )


def check_cell(cell: CellRecord) -> CheckReport:
    """Return what an independent check says of a cell's facets: from the weights, in whole numbers."""
    return check_certificate(cell.network, cell.domain, certificate_of(cell))
