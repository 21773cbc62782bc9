"""Which units of a network can change on a domain? `stability`."""

from __future__ import annotations

from reluatlas.domain import Box, Segment, Slice, Space
from reluatlas.errors import DimensionError, DomainError
from reluatlas.network.network import Network, require_network
from reluatlas.network.record import Max
from reluatlas.stable.answer import LayerStability, Stability
from reluatlas.stable.enclosure import Enclosure
from reluatlas.stable.walk import possibilities


def stability(net: Network, domain: Box | Slice | Segment) -> Stability:
    """Return which units and windows of a network can change on a domain, and which certainly do not.

    A unit's piece is *constant* on a domain when it is the same in the activation patterns of all cells there: a ReLU
    is on when what it reads is positive (or not negative, affine on the domain and not zero), off when that is never
    positive; other units likewise at each of their knots; the winner of a window is larger than all candidates of
    lower index, and not smaller than the others. Its *function* is constant when one piece gives its value all over
    the domain; for that not being negative, or not being smaller than any candidate, is enough.

    Parameters
    ----------
    net : Network
    domain : Box, Slice or Segment
        Of the network's inputs; in any dimension.

    Returns
    -------
    Stability
        By layer, the possible pieces of each unit and the possible winners of each window, those that its function
        takes, and bounds; bounds on the outputs.

    Raises
    ------
    DomainError, DimensionError
        When the domain is a `Space`, where nothing bounds what units read, or does not fit the network.

    Guarantees
    ----------
    What is said to be constant, or impossible, is: bounds are rounded outward. What is said to be possible may be
    impossible: bounds take more than there is. The same answer in every run on one machine.

    Cost
    ----
    About that of evaluating the network at as many points as there are coordinates and symbols, of which at most 1,024
    are held; where these do not fit, the oldest are replaced by intervals, so that memory stays bounded.

    References
    ----------
    One pass: every tensor is enclosed by affine functions of the domain's coordinates and of symbols, one for each unit
    that may change: zonotopes [SinghEtAl2018]; and by intervals.

    Examples
    --------
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0], [1.0]], [2.0, 0.0]), ([[1.0, 1.0]], [0.0])])
    >>> found = ra.stability(net, ra.Box(-1, 1, dim=1))
    >>> found.pattern.tolist(), found.layers[0].pieces(1)
    ([1, -1], (0, 1))
    """
    require_network(net)
    if isinstance(domain, Space):
        raise DomainError("`domain` is a `Space`: what units read is not bounded there. Pass a `Box` or a `Slice`.")
    if not isinstance(domain, Box | Slice | Segment):
        raise DomainError(f"`domain` is a {type(domain).__name__}; expected a `Box`, `Slice` or `Segment`.")
    if domain.n_inputs != net.n_inputs:
        raise DimensionError(
            f"`domain` has {domain.n_inputs} input coordinates but the network takes {net.n_inputs} inputs. Pass a "
            f"domain in {net.n_inputs} dimensions."
        )
    layers: list[LayerStability] = []
    low = high = None
    for found in possibilities(net, domain):
        if isinstance(found, Enclosure):
            low, high = found.low, found.high
        else:
            node = net.nodes[found.node]
            kind = "windows" if isinstance(node, Max) else "units"
            layers.append(LayerStability(found.node, getattr(node, "name", ""), kind, *found[1:]))
    assert low is not None and high is not None
    return Stability(net, domain, tuple(layers), low, high)
