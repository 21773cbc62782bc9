"""What is the answer to whether a property is certain? `PropertyAnswer`: holds, violated or open, and what shows it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from reluatlas.answers.limits import StoppedBy
from reluatlas.certify.property_check import PropertyReport
from reluatlas.certify.property_form import PropertyCertificate
from reluatlas.certify.statement import Case, Property
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray

Verdict = Literal["holds", "violated", "open"]


@dataclass(frozen=True, eq=False, repr=False)
class Violation(Shown):
    """An input at which a property is violated.

    Attributes
    ----------
    exact_input, exact_output : tuple of Fraction
        The input, and the network's output there in real arithmetic: they are in the case, or on its border.
    case : Case
    model_output : ndarray, shape (n_outputs,), or None
        What the model itself gives at the input rounded to its own precision; None where it was not run.
    """

    exact_input: tuple[Fraction, ...]
    exact_output: tuple[Fraction, ...]
    case: Case
    model_output: FloatArray | None = None

    @property
    def x(self) -> FloatArray:
        """The input, rounded to float64."""
        return np.array([float(v) for v in self.exact_input])

    @property
    def y(self) -> FloatArray:
        """The exact output, rounded to float64."""
        return np.array([float(v) for v in self.exact_output])

    @property
    def model_violates(self) -> bool | None:
        """Whether the model's own output satisfies the case's inequalities with the input it got; None: it was not run.

        Near the border, rounding decides either way.
        """
        if self.model_output is None or not np.isfinite(self.model_output).all():
            return None
        y = [Fraction(float(v)) for v in self.model_output]
        return all(row.excess(self.exact_input, y) <= 0 for row in self.case.inequalities)


@dataclass(frozen=True, eq=False, repr=False)
class OpenPart(Shown):
    """A part of a box on which a property was not decided.

    Attributes
    ----------
    low, high : ndarray, shape (n_inputs,)
    n_cuts : int
        How many units are, besides, known to be on one side of a knot.
    """

    low: FloatArray
    high: FloatArray
    n_cuts: int


@dataclass(frozen=True, eq=False, repr=False)
class PropertyAnswer(Shown):
    """Whether a network has a property. Made by `reluatlas.check_property`.

    Attributes
    ----------
    verdict : {"holds", "violated", "open"}
    statement : Property
    certificate : PropertyCertificate or None
        Why it holds, where it does.
    report : PropertyReport or None
        What the check of the certificate found.
    witness : Violation or None
        Where it is violated.
    left : tuple of OpenPart
        What was not decided, where it is open.
    share_left : float
        What of all boxes that is, when every cut is taken for a halving.
    n_parts : int
        Parts that were bounded.
    seconds : float
    stopped_by : {"", "max_seconds", "interrupt"}
    """

    verdict: Verdict
    statement: Property
    certificate: PropertyCertificate | None
    report: PropertyReport | None
    witness: Violation | None
    left: tuple[OpenPart, ...]
    share_left: float
    n_parts: int
    seconds: float
    stopped_by: StoppedBy

    @property
    def is_complete(self) -> bool:
        """Whether it is decided."""
        return self.verdict != "open"

    def __repr__(self) -> str:
        what = {
            "holds": f"proved in {0 if self.certificate is None else self.certificate.n_leaves:,} parts",
            "violated": "at `.witness.x`",
            "open": f"{len(self.left):,} parts left",
        }[self.verdict]
        return f"PropertyAnswer({self.verdict}: {what}, {self.seconds:.3g} s)"
