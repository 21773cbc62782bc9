"""How many cells can such a network have at all? Bounds from the literature, as exact whole numbers.

Upper bounds are on the number of cells of *any* network of the same architecture on a k-dimensional domain: the space
R^n (k = n), a slice of it, or a part of these. They bound linear regions, too, of which there are never more. The
lower bound is of the largest number that some choice of weights reaches; a given network may have fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, log10, prod
from typing import Literal

import numpy as np

from reluatlas.errors import ArgumentError
from reluatlas.network.network import Affine, Breakpoints, Input, Max, Network, require_network

_WORK = 2**21  # products of large numbers that a bound may take
_LN = 0.3010299956639812  # log10(2)


@dataclass(frozen=True)
class Bound:
    """One bound.

    Attributes
    ----------
    name : str
        Who proved it.
    kind : {"upper", "lower"}
        Upper: no network of this architecture has more cells. Lower: some network of it has at least so many.
    value : int or None
        Exact; None where it does not apply.
    source : str
        Where it is proved.
    reason : str
        What it takes into account, or why it does not apply.
    """

    name: str
    kind: Literal["upper", "lower"]
    value: int | None
    source: str
    reason: str

    @property
    def log10(self) -> float | None:
        """Decimal logarithm of the value."""
        if self.value is None or self.value == 0:
            return None
        extra = max(0, self.value.bit_length() - 900)
        return log10(self.value >> extra) + extra * _LN


@dataclass(frozen=True)
class Layer:
    """One layer that cuts.

    Attributes
    ----------
    width : int
        Number of its outputs: neurons or windows.
    hyperplanes : int
        Number of hyperplanes that it can cut a cell of the layers before by: one for each breakpoint of a neuron, one
        for each pair of candidates of a window.
    is_sequential : bool
        Whether it reads nothing but the layer before it (the first one: nothing but the input).
    is_relu : bool
        Whether its units are constant on one side of their only breakpoint.
    """

    width: int
    hyperplanes: int
    is_sequential: bool
    is_relu: bool


def zaslavsky(n_hyperplanes: int, dim: int) -> int:
    """Return the largest number of regions that hyperplanes cut R^dim into: sum of C(n, j), j = 0, ..., dim.

    Attained in general position. T. Zaslavsky, "Facing up to arrangements", Memoirs of the AMS 154 (1975).
    """
    _require_counts(n_hyperplanes=n_hyperplanes, dim=dim)
    return sum(comb(n_hyperplanes, j) for j in range(min(dim, n_hyperplanes) + 1))


def one_by_one(hyperplanes: Sequence[int], dim: int) -> int:
    """Return the product over layers of the regions of so many hyperplanes in R^dim: an upper bound for any graph.

    A cell of the first layers is convex and the layer's rows are affine on it, whatever they read. In this form, of
    ReLU networks: M. Raghu, B. Poole, J. Kleinberg, S. Ganguli, J. Sohl-Dickstein, "On the expressive power of deep
    neural networks", ICML 2017, theorem 1.
    """
    return prod(zaslavsky(n, dim) for n in hyperplanes)


def montufar_upper(widths: Sequence[int], dim: int, hyperplanes: Sequence[int] | None = None) -> int:
    """Return the product over layers of the regions of n_l hyperplanes in min(dim, n_1, ..., n_(l-1)) dimensions.

    An upper bound where each layer reads the one before only. G. Montufar, "Notes on the number of linear regions of
    deep neural networks", SampTA 2017, proposition 3.

    Parameters
    ----------
    widths : sequence of int
        Outputs of the hidden layers.
    dim : int
        Dimension of the domain.
    hyperplanes : sequence of int, optional
        Hyperplanes of each layer, where units have several breakpoints; one for each unit when None.
    """
    _require_counts(dim=dim)
    total, narrowest = 1, dim
    for width, n in zip(widths, hyperplanes or widths, strict=True):
        total *= zaslavsky(n, narrowest)
        narrowest = min(narrowest, width)
    return total


def serra_upper(widths: Sequence[int], dim: int) -> int:
    """Return the sum, over all (j_1, ..., j_L) that are allowed, of the products of C(n_l, j_l).

    Allowed is 0 <= j_l <= min(dim, n_1 - j_1, ..., n_(l-1) - j_(l-1), n_l).

    An upper bound for ReLU networks whose layers read the one before only: units that are off lower the dimension of
    what later layers see. T. Serra, C. Tjandraatmadja, S. Ramalingam, "Bounding and counting linear regions of deep
    neural networks", ICML 2018, theorem 1.
    """
    _require_counts(dim=dim)
    # by the dimension that is left: how many ways
    ways = {dim: 1}
    for n in widths:
        after: dict[int, int] = {}
        for left, many in ways.items():
            for j in range(min(left, n) + 1):
                rest = min(left, n - j)
                after[rest] = after.get(rest, 0) + many * comb(n, j)
        ways = after
    return sum(ways.values())


def montufar_lower(widths: Sequence[int], dim: int) -> int:
    """Return (product of floor(n_l / dim)^dim over all layers but the last) times the regions of n_L hyperplanes.

    Some ReLU network of these widths has at least so many linear regions; widths are at least dim. G. Montufar,
    R. Pascanu, K. Cho, Y. Bengio, "On the number of linear regions of deep neural networks", NIPS 2014, theorem 4.
    """
    _require_counts(dim=dim)
    if dim < 1 or not widths or min(widths) < dim:
        raise ArgumentError(f"`widths={list(widths)}` must be at least `dim={dim}` each, and `dim` at least 1.")
    return prod((n // dim) ** dim for n in widths[:-1]) * zaslavsky(widths[-1], dim)


def layers_of(net: Network) -> list[Layer]:
    """Return the layers of a network that cut, in topological order."""
    out: list[Layer] = []
    for k, t in enumerate(net.cuts):
        node = net.nodes[t]
        before = 0 if k == 0 else net.cuts[k - 1]
        if isinstance(node, Breakpoints):
            knots = int(np.isfinite(node.knots).sum())
            one = node.knots.shape[1] == 1 and bool(np.isfinite(node.knots).all())
            flat = one and bool((node.slopes == 0).any(axis=1).all())
            out.append(Layer(node.knots.shape[0], knots, _reads(net, node.input) <= {before}, flat))
        else:
            assert isinstance(node, Max)
            windows = np.split(node.candidates, node.offsets[1:-1])
            pairs = sum(comb(np.unique(w).size, 2) for w in windows)
            out.append(Layer(node.n_windows, pairs, _reads(net, node.input) <= {before}, False))
    return out


def bounds(net: Network, dim: int | None = None) -> list[Bound]:
    """Return what is known of the number of cells of networks of this architecture.

    Parameters
    ----------
    net : Network
    dim : int, optional
        Dimension k of the domain; that of the input space when None.

    Raises
    ------
    ArgumentError
        When `dim` is no dimension of a slice of the input space.

    Guarantees
    ----------
    Exact whole numbers. A bound that is not proved for the architecture has the value None and says why. A convolution
    counts as a dense layer with as many units: the bound holds, and is not sharp.
    """
    require_network(net)
    k = net.n_inputs if dim is None else dim
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= net.n_inputs:
        raise ArgumentError(f"`dim={dim!r}` must be a whole number from 1 to {net.n_inputs}, the number of inputs.")
    k, layers = int(k), layers_of(net)
    widths, planes = [layer.width for layer in layers], [layer.hyperplanes for layer in layers]
    sequential = all(layer.is_sequential for layer in layers)
    relu = all(layer.is_relu for layer in layers)
    skipping = "a layer reads more than the one before it (residual or concatenated branches)"
    work = sum(min(k, n) ** 2 for n in widths)
    out = [
        Bound("Raghu et al. 2017", "upper", one_by_one(planes, k), "ICML 2017, theorem 1", "layer by layer, any graph"),
        Bound(
            "Montufar 2017", "upper", montufar_upper(widths, k, planes) if sequential else None,
            "SampTA 2017, proposition 3", "with the narrowest layer so far" if sequential else skipping,
        ),
    ]  # fmt: skip
    why = (
        skipping if not sequential
        else "some units are not constant on one side of a single breakpoint" if not relu
        else "too long to compute for layers this wide" if work > _WORK
        else "with the units that are off"
    )  # fmt: skip
    good = sequential and relu and work <= _WORK
    out.append(
        Bound("Serra et al. 2018", "upper", serra_upper(widths, k) if good else None, "ICML 2018, theorem 1", why)
    )
    dense = sequential and relu and _is_dense(net)
    reason = (
        "reached by some weights of this shape" if dense and min(widths, default=0) >= k and k == net.n_inputs
        else "proved for dense ReLU layers" if not dense
        else "proved for the whole input space" if k != net.n_inputs
        else "proved for layers at least as wide as the input"
    )  # fmt: skip
    applies = dense and bool(widths) and min(widths) >= k and k == net.n_inputs
    out.append(
        Bound(
            "Montufar et al. 2014", "lower", montufar_lower(widths, k) if applies else None, "NIPS 2014, theorem 4",
            reason,
        )
    )  # fmt: skip
    return out


def smallest_upper(net: Network, dim: int | None = None) -> Bound:
    """Return the smallest upper bound that applies; see `bounds`."""
    return min(
        (b for b in bounds(net, dim) if b.kind == "upper" and b.value is not None),
        key=lambda b: b.value if b.value is not None else 0,
    )


def _reads(net: Network, t: int) -> set[int]:
    # Which cut nodes, or the input, a tensor is an affine function of.
    found, stack, seen = set(), [t], set()
    while stack:
        i = stack.pop()
        if i in seen:
            continue
        seen.add(i)
        node = net.nodes[i]
        if isinstance(node, Affine):
            stack.extend(node.inputs)
        else:
            assert isinstance(node, Input | Breakpoints | Max)
            found.add(i)
    return found


def _is_dense(net: Network) -> bool:
    from reluatlas.network.network import Dense

    operators = [o for node in net.nodes if isinstance(node, Affine) for o in node.operators]
    return all(isinstance(o, Dense) for o in operators)


def _require_counts(**counts: int) -> None:
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise ArgumentError(f"`{name}={value!r}` must be a whole number of at least 0.")
