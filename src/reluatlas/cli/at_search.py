"""Which cells hold the points that were asked for? One point after another, under a budget."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.cli.points import Point, PointUnits, all_points
from reluatlas.deadline import NEVER, Deadline, current, grace, under
from reluatlas.domain import Box, Space
from reluatlas.errors import ArgumentError, DomainError, InternalError, TimeLimitError
from reluatlas.progress import Callback
from reluatlas.reach import require_reach
from reluatlas.report import cell_facts
from reluatlas.report.cell_record import CellFacts, PointFacts

if TYPE_CHECKING:
    from reluatlas.cells.answer_at import Answer
    from reluatlas.cells.cell import Cell
    from reluatlas.certify.archive import Packed
    from reluatlas.certify.check import CheckReport
    from reluatlas.decisions.nearest.answer import NearestClass
    from reluatlas.network.network import Network

MOST_DRAWN = 16
_SURE = 40  # points whose class is told whatever the limit of time; of the first, all of the answer
_PARTS = 50  # of balls that are looked at for the nearest other class of a point
_FOR_ONE_CLASS, _FOR_CLASSES = 20.0, 60.0  # seconds in search of the nearest other class: of one point, of all
_FOR_FACETS = 0.8  # of the time that is left; the rest is for what follows from them


@dataclass(frozen=True)
class Asked:
    """What is asked for, as the options say it.

    Raises
    ------
    ArgumentError
        When no point is named.
    """

    data: list[str]
    at: list[str]
    box: list[str]
    max_cells: int
    check: bool = False
    units: PointUnits = field(default_factory=PointUnits)

    def __post_init__(self) -> None:
        if not self.data and not self.at:
            raise ArgumentError("no point was given. Pass `--data X.npy` (a point in each row), or `--at 0.1,0.2`.")

    def points(self, net: Network, *, quiet: bool) -> list[Point]:
        """Return all points, those of files first."""
        return all_points(self.data, self.at, net, self.units, quiet=quiet)


def require_inside(points: Sequence[Point], domain: Box | Space) -> None:
    """Refuse points outside of a box, and those farther away than any domain reaches.

    Raises
    ------
    DomainError
        Names the first of them.
    """
    for point in points:
        require_reach(point.x, f"the point {point.label}")
    if isinstance(domain, Space):
        return
    for point in points:
        outside = np.flatnonzero((point.x < domain.low) | (point.x > domain.high))
        if outside.size:
            j = int(outside[0])
            raise DomainError(
                f"the point {point.label} is outside of `--box`: input {j} is {point.x[j]:g}, expected "
                f"{domain.low[j]:g} to {domain.high[j]:g}. Leave it out, or pass a larger box."
            )


@dataclass(eq=False)
class Search:
    """The cells of points, one point after another; what is found is whole after every point."""

    net: Network
    domain: Box | Space
    asked: Asked
    keeps: bool
    found: list[tuple[PointFacts, list[Packed]]] = field(default_factory=list)
    answers: list[Answer | None] = field(default_factory=list)
    outputs: list[NDArray[np.float64] | None] = field(default_factory=list)
    drawn: dict[str, Cell] = field(default_factory=dict)
    stopped_by: str = ""
    _spent: float = 0.0  # seconds in search of other classes

    @property
    def points(self) -> list[PointFacts]:
        """What is known of each point."""
        return [point for point, _ in self.found]

    @property
    def certificates(self) -> list[Packed]:
        """The certificates of all cells, in their order; none unless they are kept."""
        return [certificate for _, several in self.found for certificate in several]

    def answer(self, points: Sequence[Point]) -> None:
        """Find class, runner-up, margin, map and ties of points: at once, before any facet.

        When the time is over, the map and ties are told of the first point only, and the outputs of the first few.
        """
        from reluatlas.cells.answer_at import answer_at

        deadline = current()
        with grace(NEVER):
            for i, point in enumerate(points):
                is_late = deadline.is_over()
                outputs = None
                if i < _SURE or not is_late:
                    outputs = np.asarray(self.net(point.x.reshape(self.net.input_shape))).reshape(-1)
                self.outputs.append(outputs)
                self.answers.append(
                    None
                    if outputs is None or (is_late and i)
                    else answer_at(self.net, self.net, point.x, outputs, self.domain)
                )

    def run(self, points: Sequence[Point], told: Callback | None) -> None:
        """Look at points until all are done, the time that holds here is over, or an interrupt comes."""
        from reluatlas.network.batches import one_blas_thread

        deadline = current()
        try:
            with one_blas_thread():  # small matrices: more threads only wait for one another
                for point in points:
                    if deadline.is_over() or not self._looked(point, deadline):
                        self.stopped_by = "max_seconds"
                        return
                    if told is not None:
                        told("points", len(self.found), len(self.found) / len(points))
        except KeyboardInterrupt:
            self.stopped_by = "interrupt"
        if not self.stopped_by and not all(point.is_complete for point in self.points):
            self.stopped_by = "max_cells"

    def _looked(self, point: Point, deadline: Deadline) -> bool:
        """Look at a point; return False when the time was over before all was known of it."""
        try:
            return self._look(point, deadline)
        except TimeLimitError:
            return False

    def _look(self, point: Point, deadline: Deadline) -> bool:
        """Take a point's cells; return False when the time was over before all was known of them."""
        taken: list[CellFacts] = []
        certificates: list[Packed] = []
        cells, is_complete = self._cells(point)
        other = self._nearest(point)
        for cell in cells:
            _ = cell.affine  # at once, and kept: there is something to tell from here on
            with under(deadline.share(_FOR_FACETS)):
                is_known = cell.facets.n_undecided == 0
            taken.append(cell_facts.of_cell(cell, self._check(cell, point, certificates) if is_known else None, other))
            if deadline.is_over():
                break
        outputs = self.outputs[len(self.found)]
        if outputs is None:
            outputs = np.asarray(self.net(point.x.reshape(self.net.input_shape))).reshape(-1)
        is_complete = is_complete and len(taken) == len(cells)
        known = PointFacts(point.label, point.code, point.x, outputs, taken, len(cells) > 1, is_complete, self.net)
        self.found.append((known, certificates))
        if self.keeps and cells and cells[0].has_rows and len(self.drawn) < MOST_DRAWN:
            self.drawn.setdefault(point.label, cells[0])
        return not deadline.is_over() or known.is_done

    def _nearest(self, point: Point) -> NearestClass | None:
        """Return how far the nearest input of another class is; None when there are no classes, or no time is left."""
        from reluatlas.decisions.nearest.nearest_class import nearest_class

        left = min(_FOR_ONE_CLASS, _FOR_CLASSES - self._spent)
        if self.net.classes is None or left <= 0.0:
            return None
        start = time.monotonic()
        try:
            with under(current().share(_FOR_FACETS)):
                return nearest_class(self.net, point.x, domain=self.domain, max_parts=_PARTS, max_seconds=left)
        except TimeLimitError:
            return None
        finally:
            self._spent += time.monotonic() - start

    def _cells(self, point: Point) -> tuple[list[Cell], bool]:
        """Return the cells that hold a point, and whether these are all."""
        from reluatlas.cells.cell_at import cells_at

        cells: list[Cell] = []
        try:
            for cell in cells_at(self.net, point.x, self.domain, max_cells=self.asked.max_cells + 1):
                if len(cells) == self.asked.max_cells:
                    return cells, False
                cells.append(cell)
        except TimeLimitError:
            return cells, False
        return cells, True

    def _check(self, cell: Cell, point: Point, certificates: list[Packed]) -> CheckReport | None:
        if not self.keeps and not self.asked.check:
            return None
        from reluatlas.cells.certificate import certificate_of
        from reluatlas.certify.archive import packed
        from reluatlas.certify.check import check_certificate

        certificate = certificate_of(cell)
        if self.keeps:
            certificates.append(packed(certificate))
        if not self.asked.check:
            return None
        try:
            report = check_certificate(self.net, self.domain, certificate)
        except TimeLimitError:
            return None
        if not report.is_ok:
            raise InternalError(
                f"the certificate of the cell at {point.label} does not hold: {report.problems[0]} Please report it."
            )
        return report
