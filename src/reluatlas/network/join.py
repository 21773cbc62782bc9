"""What are two networks together? One graph over their shared input: parts that are equal once, outputs side by side.

A part of the second network is one of the first when it applies the same numbers to the same tensors. What is written
otherwise, such as units in another order, stays apart; that it is the same function is for others to find.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reluatlas.errors import DimensionError
from reluatlas.network.network import Network, require_network
from reluatlas.network.operators import Convolution, Dense, Gather, LinearOperator, Sparse
from reluatlas.network.record import Affine, Breakpoints, Graph, Input, Max, Node, Shape


@dataclass(frozen=True, eq=False)
class Joined:
    """Two networks as one graph.

    Attributes
    ----------
    nodes : tuple of Node
        Those of the first network in its order, then what only the second one has.
    first, second : tuple of int
        Where each node of either network stands among them.
    f, g : int
        Where their outputs stand.
    """

    nodes: tuple[Node, ...]
    first: tuple[int, ...]
    second: tuple[int, ...]
    f: int
    g: int

    @property
    def n_shared(self) -> int:
        """Number of nodes that are the second network's, too, the input among them."""
        return len(self.first) + len(self.second) - len(self.nodes)


def difference(f: Network, g: Network) -> Network:
    """Return the network `x -> f(x) - g(x)`.

    One graph over the shared input, in which parts that are equal in f and g stand once: so every exact answer about a
    network is one about the difference of two.

    Parameters
    ----------
    f, g : Network
        With the same input shape and the same output shape, up to axes of length 1.

    Returns
    -------
    Network
        Its outputs are no classes. Its units are those of f, then those of g that f does not have.

    Raises
    ------
    ArgumentError
        When one of them is no network.
    DimensionError
        When their shapes differ; the message names both.

    Guarantees
    ----------
    Exact: no coefficient is computed, so none is rounded. Where f and g are one and the same, it is the constant 0.

    Cost
    ----
    One pass over the coefficients of both.

    References
    ----------
    [PaulsenWangWang2020] bound such differences; here they are networks.

    Examples
    --------
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> f = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> g = ra.load([(np.eye(2), np.zeros(2)), (np.array([[1.0, 0.5]]), np.zeros(1))])
    >>> d = ra.difference(f, g)  # half of relu(y), over the units of both
    >>> d([1.0, 3.0]), d.n_neurons
    (array([1.5]), 2)
    """
    both = join(f, g)
    return finish(f, g, both, _differences(both, f.n_outputs), f.output_shape)


def side_by_side(f: Network, g: Network, *, with_difference: bool = False) -> Network:
    """Return the network `x -> (f(x), g(x))`, flat; its cells are the common refinement of those of f and g.

    With `with_difference`, `f(x) - g(x)` follows.
    """
    both = join(f, g)
    return finish(f, g, both, outputs_of(both, f.n_outputs, with_difference=with_difference))


def finish(
    f: Graph, g: Graph, both: Joined, output: Affine, shape: Shape | None = None, cuts: tuple[Node, ...] = ()
) -> Network:
    """Return the network of joined nodes, then others, then an affine node that is its output."""
    nodes = (*both.nodes, *cuts, output if shape is None else replace(output, shape=shape))
    return Network(nodes, len(nodes) - 1, (*f.notes, *g.notes), f"{f.source} and {g.source}", classes=None)


def join(f: Network, g: Network) -> Joined:
    """Return two networks as one graph; see `Joined`.

    Raises
    ------
    ArgumentError, DimensionError
        When one is no network, or their shapes differ.
    """
    require_alike(f, g)
    nodes = list(f.nodes)
    known: dict[tuple[type, tuple[int, ...]], list[int]] = {}
    for t, node in enumerate(nodes):
        known.setdefault((type(node), _sources(node)), []).append(t)
    place: list[int] = []
    for node in g.nodes:
        moved = _moved(node, place)
        alike = known.setdefault((type(moved), _sources(moved)), [])
        found = next((t for t in alike if _is_same(nodes[t], moved)), None)
        if found is None:
            found = len(nodes)
            nodes.append(moved)
            alike.append(found)
        place.append(found)
    return Joined(tuple(nodes), tuple(range(len(f.nodes))), tuple(place), f.output, place[g.output])


def outputs_of(both: Joined, m: int, *, with_difference: bool) -> Affine:
    """Return the node of f's m outputs and g's m outputs and, if asked for, of their differences."""
    each = np.arange(m)
    none = np.full(m, -1)
    plus, minus = [each, none, each], [none, each, each]
    parts = slice(0, 3 if with_difference else 2)
    first, second = np.concatenate(plus[parts]), np.concatenate(minus[parts])
    sign = np.ones(second.size)
    sign[2 * m :] = -1.0
    if both.f == both.g:  # one tensor: its difference from itself is nothing, not a sum of two terms
        first, second = first.copy(), second.copy()
        first[2 * m :] = second[2 * m :] = -1
    operators = Gather(first, np.ones(first.size), m), Gather(second, sign, m)
    return Affine((both.f, both.g), operators, np.zeros(first.size), (first.size,), "f and g")


def _differences(both: Joined, m: int) -> Affine:
    if both.f == both.g:
        return Affine((), (), np.zeros(m), (m,), "f - g")
    each = np.arange(m)
    operators = Gather(each, np.ones(m), m), Gather(each, np.full(m, -1.0), m)
    return Affine((both.f, both.g), operators, np.zeros(m), (m,), "f - g")


def require_alike(f: object, g: object) -> None:
    """Raise unless two things are networks with the same shapes of inputs and outputs, up to axes of length 1.

    Raises
    ------
    ArgumentError, DimensionError
    """
    require_network(f, "f")
    require_network(g, "g")
    assert isinstance(f, Network)
    assert isinstance(g, Network)
    if _long(f.input_shape) != _long(g.input_shape):
        same = f.n_inputs == g.n_inputs
        raise DimensionError(
            f"`f` takes inputs of shape {f.input_shape} but `g` of shape {g.input_shape}. "
            + (
                f"They are {f.n_inputs} numbers each; where they mean the same in the same order, pass "
                f"`g.reshaped({f.input_shape})`."
                if same
                else "Pass two networks of one kind of input."
            )
        )
    if [(p.name, p.shape) for p in f.input_parts] != [(p.name, p.shape) for p in g.input_parts]:
        raise DimensionError(
            f"`f` joins the inputs {_parts(f)} but `g` {_parts(g)}. Pass two networks of the same inputs."
        )
    if f.n_outputs != g.n_outputs or _long(f.output_shape) != _long(g.output_shape):
        raise DimensionError(
            f"`f` gives outputs of shape {f.output_shape} but `g` of shape {g.output_shape}. Pass two networks with "
            "the same outputs."
        )


def _parts(network: Graph) -> str:
    return ", ".join(f"{p.name!r} {p.shape}" for p in network.input_parts) or "one input"


def _long(shape: Shape) -> Shape:
    return tuple(side for side in shape if side != 1)


def _sources(node: Node) -> tuple[int, ...]:
    if isinstance(node, Affine):
        return node.inputs
    return () if isinstance(node, Input) else (node.input,)


def _moved(node: Node, place: list[int]) -> Node:
    """Return a node that reads the tensors of the joined graph."""
    if isinstance(node, Input):
        return node
    if isinstance(node, Affine):
        return replace(node, inputs=tuple(place[s] for s in node.inputs))
    return replace(node, input=place[node.input])


def _is_same(node: Node, other: Node) -> bool:
    """Return whether two nodes of one kind, which read the same tensors, have the same numbers."""
    if isinstance(node, Affine):
        assert isinstance(other, Affine)
        return np.array_equal(node.bias, other.bias) and all(map(_is_same_operator, node.operators, other.operators))
    if isinstance(node, Breakpoints):
        assert isinstance(other, Breakpoints)
        mine, theirs = (node.knots, node.slopes, node.intercepts), (other.knots, other.slopes, other.intercepts)
        return all(map(np.array_equal, mine, theirs))
    if isinstance(node, Max):
        assert isinstance(other, Max)
        return np.array_equal(node.offsets, other.offsets) and np.array_equal(node.candidates, other.candidates)
    return True


def _is_same_operator(operator: LinearOperator, other: LinearOperator) -> bool:
    if type(operator) is not type(other) or operator.n_in != other.n_in or operator.n_out != other.n_out:
        return False
    names = {
        Dense: ("weight",),
        Gather: ("index", "scale"),
        Sparse: ("indptr", "indices", "values", "denominator"),
        Convolution: ("weight", "places", "n_positions", "groups"),
    }[type(operator)]
    return all(np.array_equal(getattr(operator, name), getattr(other, name)) for name in names)
