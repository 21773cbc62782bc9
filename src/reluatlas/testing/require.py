"""How does a check say what is wrong? With one sentence that names the cell; `python -O` leaves it in place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def require(holds: ArrayLike, cells: ArrayLike, what: str) -> None:
    """Raise an `AssertionError` that names the first cell for which a law does not hold.

    Parameters
    ----------
    holds : array_like of bool
        Whether it holds, in any number of places.
    cells : array_like of int
        The cell of each place; is broadcast to the shape of `holds`.
    what : str
        The law that is broken.
    """
    fine = np.asarray(holds)
    if fine.all():
        return
    bad = np.unique(np.broadcast_to(np.asarray(cells), fine.shape)[~fine])
    others = f" (and {bad.size - 1} other cell{'s' if bad.size > 2 else ''})" if bad.size > 1 else ""
    raise AssertionError(f"cell {bad[0]}{others}: {what}")


def require_whole(holds: bool, what: str) -> None:
    """Raise an `AssertionError` when a law of the complex as a whole does not hold."""
    if not holds:
        raise AssertionError(f"the complex: {what}")
