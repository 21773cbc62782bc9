"""Which smaller network is the same function on a domain? `simplify`."""

from __future__ import annotations

from math import isfinite
from typing import Literal

import numpy as np

from reluatlas.deadline import Deadline, current
from reluatlas.domain import Box, Segment, Slice, Space
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from reluatlas.network.network import Network, require_network
from reluatlas.simplification.answer import Simplification
from reluatlas.simplification.approximate import approximations
from reluatlas.simplification.certificate import Certificate
from reluatlas.simplification.reduce_exactly import Effort, best, candidates


def simplify(
    net: Network,
    domain: Box | Slice | Segment,
    tolerance: float = 0.0,
    *,
    objective: Literal["units", "numbers"] = "units",
    max_seconds: float | None = 60.0,
) -> Simplification:
    """Return a smaller network that is the same function on a domain, or nearly, with a proof.

    On the domain a unit whose function is constant (see `reluatlas.stability`) is one affine function: what is always
    off goes, what never bends is read through. Units that read the same up to a factor bend once; windows with one
    winner take it; what no output depends on goes, whole channels of convolutions included; affine nodes are put into
    those that read them where every new coefficient is a float64 number without rounding, else they stay, as an affine
    bypass. Off the domain the networks may differ.

    Parameters
    ----------
    net : Network
    domain : Box, Slice or Segment
        Of the network's inputs; in any dimension.
    tolerance : float
        By how much an output may change, in output units. With 0 the function stays the same.
    objective : {"units", "numbers"}
        What is to be few: units (then multiplications), or stored numbers. Convolutions whose rows are written out
        lose more multiplications, and store more.
    max_seconds : float or None
        After so many seconds nothing is tried any more, and what was found by then is given; of layers that bounds did
        not come to, all units stay. Linear programs leave time for the rest. None: no limit.

    Returns
    -------
    Simplification
        The network, what was removed and why, sizes before and after, the bound on the change, a certificate.

    Raises
    ------
    ArgumentError
        When `tolerance` is negative or no finite number, or `objective` is another word.
    DomainError, DimensionError
        When the domain is a `Space`, or does not fit the network.

    Guarantees
    ----------
    With tolerance 0 both networks are the same function on the domain, in real arithmetic on their coefficients: bounds
    are rounded outward, an answer of the linear program solver counts only with multipliers that prove it, cells are
    exact, and a merge is done only where nothing is rounded. Else no output differs by more than `error_bound`, which
    is at most the tolerance. That the network is the smallest is not claimed. The same answer in every run on one
    machine, unless time runs out.

    Cost
    ----
    That of `reluatlas.stability` for each round, and a linear program for each unit that bounds leave open but no
    sampled point bends; none where the inputs and open units times the widest tensor are more than 2^24. Then, in up to
    six dimensions, that of up to 200,000 cells, until each unit that is open was seen to bend.

    References
    ----------
    Lossless compression by stable units [SerraEtAl2020].

    Examples
    --------
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0], [2.0], [-1.0]], [0.0, 0.0, -3.0]), ([[1.0, 1.0, 1.0]], [0.0])])
    >>> found = ra.simplify(net, ra.Box(-1, 1, dim=1))
    >>> found.after.units, found.reasons, found.error_bound
    (1, {'proportional': 1, 'off': 1}, 0.0)
    """
    _require(net, domain, tolerance, objective)
    limit = Deadline.after(max_seconds)
    deadline = limit if limit.left() < current().left() else current()
    effort = Effort(deadline)
    found = list(candidates(net, domain, effort))
    if tolerance > 0 and not effort.is_over():
        found += [c for base in found[1:] for c in approximations(base, net, domain, tolerance, objective)]
    chosen = best(found, objective)
    bounds = np.zeros(net.n_outputs) if chosen.error is None else chosen.error
    removed = tuple(sorted({r.unit: r for r in reversed(chosen.gone)}.values()))
    bound = float(bounds.max(initial=0.0))
    certificate = Certificate.of(net, chosen.network, domain, removed, bound)
    return Simplification(
        chosen.network, found[0].size, chosen.size, removed, bound, bounds, certificate, net, domain, float(tolerance),
        objective, effort.n_programs, effort.is_complete,
    )  # fmt: skip


def _require(net: object, domain: object, tolerance: object, objective: object) -> None:
    require_network(net)
    assert isinstance(net, Network)
    if isinstance(domain, Space):
        raise DomainError("`domain` is a `Space`: no unit is bounded there. Pass a `Box` or a `Slice`.")
    if not isinstance(domain, Box | Slice | Segment):
        raise DomainError(f"`domain` is a {type(domain).__name__}; expected a `Box`, `Slice` or `Segment`.")
    if domain.n_inputs != net.n_inputs:
        raise DimensionError(
            f"`domain` has {domain.n_inputs} input coordinates but the network takes {net.n_inputs} inputs. Pass a "
            f"domain in {net.n_inputs} dimensions."
        )
    is_number = isinstance(tolerance, int | float | np.integer | np.floating) and not isinstance(tolerance, bool)
    if not is_number or not isfinite(tolerance) or tolerance < 0:  # type: ignore[arg-type, operator]
        raise ArgumentError(
            f"`tolerance={tolerance!r}` must be a finite number of at least 0, in output units: by how much an output "
            "may change. Pass 0 for the same function."
        )
    if objective not in ("units", "numbers"):
        raise ArgumentError(f'`objective={objective!r}` is neither "units" nor "numbers".')
