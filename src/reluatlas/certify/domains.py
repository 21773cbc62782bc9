"""How is a domain kept in a file of certificates? Its kind in the head, its numbers as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.domain import Box, Domain, Slice, Space
from reluatlas.storage.archive import Members


def head_of(domain: Domain) -> dict[str, Any]:
    """Return what the head says of a domain."""
    return {"domain": type(domain).__name__, "n_inputs": domain.n_inputs}


def sides_of(domain: Domain) -> dict[str, NDArray]:
    """Return the arrays that are a domain's numbers."""
    if isinstance(domain, Space):
        return {}
    sides = {"low": domain.box.low, "high": domain.box.high}
    return sides | ({"origin": domain.origin, "basis": domain.basis} if isinstance(domain, Slice) else {})


def domain_of(head: dict[str, Any], arrays: Members) -> Domain:
    """Return the domain that a file tells of.

    Raises
    ------
    ValueError
        When it is none.
    """
    kind, n = head["domain"], head["n_inputs"]
    if kind not in ("Space", "Box", "Slice") or not isinstance(n, int) or isinstance(n, bool):
        raise ValueError("its domain is none")
    if kind == "Space":
        return Space(n)
    low = arrays.take("low", np.float64, (None,))
    box = Box(low, arrays.take("high", np.float64, low.shape))
    if kind == "Box":
        return box
    basis = arrays.take("basis", np.float64, (low.size, n))
    return Slice(arrays.take("origin", np.float64, (n,)), basis, box=box)
