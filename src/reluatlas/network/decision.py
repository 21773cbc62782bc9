"""Which class does a network decide on? The largest output, or the smallest; of a single output, its sign.

`Network.classes` says which: "max" (most classifiers), "min" (networks that give costs, as those of ACAS Xu do), or
None for a network whose outputs are no classes (regression).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError
from reluatlas.network.network import Network
from reluatlas.network.operators import Gather
from reluatlas.network.record import Affine, Breakpoints, Graph, Max, Node

Decision = Literal["max", "min"]
NO_CLASS = -1


def scores(network: Graph, values: NDArray) -> NDArray:
    """Return outputs, or what is made of outputs linearly, such that the largest decides: their negatives for "min"."""
    return -values if network.classes == "min" and network.n_outputs > 1 else values


def classes_of(network: Graph, values: NDArray) -> NDArray[np.int64]:
    """Return the class of outputs (..., m), in float64: the lowest position of equal ones; -1 without classes.

    Of a single output: 1 where it is above 0, else 0.
    """
    if network.classes is None:
        return np.full(values.shape[:-1], NO_CLASS, dtype=np.int64)
    if network.n_outputs == 1:
        return (values[..., 0] > 0).astype(np.int64)
    return scores(network, values).argmax(axis=-1).astype(np.int64)


def class_name(network: Graph, index: int) -> str:
    """Return what messages, figures and tables call a class."""
    if index == NO_CLASS:
        return "no class"
    if index < len(network.class_names):
        return network.class_names[index]
    return f"output {index}" if network.classes is None else f"class {index}"


def class_label(network: Graph, index: int) -> str:
    """Return a class for a table: its name where the model has names, else its number; "none" without classes."""
    if index == NO_CLASS:
        return "none"
    return network.class_names[index] if index < len(network.class_names) else str(index)


def ranked(network: Graph, values: NDArray) -> tuple[int, int | None, float]:
    """Return the class of one point's outputs (m,), the next one, and by how much it is behind, in output units.

    Of a single output the next class is the other sign, and the margin its magnitude. Without classes -1, None, NaN.
    """
    label = int(classes_of(network, values))
    if network.classes is None:
        return label, None, float("nan")
    if network.n_outputs == 1:
        return label, 1 - label, abs(float(values[0]))
    order = np.argsort(-scores(network, values), kind="stable")
    return label, int(order[1]), abs(float(values[order[0]] - values[order[1]]))


def extreme_word(network: Graph) -> str:
    """Return "smallest" for a network that decides by its smallest output, else "largest"."""
    return "smallest" if network.classes == "min" else "largest"


def has_decision(network: Graph) -> bool:
    """Return whether there is a decision boundary: classes, or the zero set of a single output."""
    return network.classes is not None or network.n_outputs == 1


def require_classes(network: Graph, what: str) -> None:
    """Raise when the outputs of a network are no classes; a single output always has a sign.

    Raises
    ------
    ArgumentError
    """
    if not has_decision(network):
        raise ArgumentError(
            f"{what} needs classes, but the network was opened with `classes=None`: its outputs are numbers, not "
            'classes. Open it with `classes="max"` or `classes="min"`.'
        )


@lru_cache(maxsize=8)
def deciding(network: Network, name: str) -> Network:
    """Return the network with one more cut node at its end, whose pieces are the classes.

    Raises
    ------
    ArgumentError
        When the outputs are no classes.
    """
    require_classes(network, "a decision")
    nodes = (*network.nodes, *decision_nodes(network, network.output, len(network.nodes), name))
    return Network(nodes, len(nodes) - 1, network.notes, network.source)


def decision_nodes(network: Graph, output: int, first: int, name: str) -> tuple[Node, ...]:
    """Return nodes, to stand from place `first` on, that end in a cut node whose pieces are the network's classes.

    They read its output at place `output` of the graph that they are for.
    """
    m = network.n_outputs
    if m == 1:
        return (Breakpoints(output, np.zeros((1, 1)), np.array([[0.0, 1.0]]), np.zeros((1, 2)), (1,), name),)
    each, window = np.arange(m), np.array([0, m])
    if network.classes != "min":
        return (Max(output, window, each, (1,), name),)
    costs = Affine((output,), (Gather(each, np.full(m, -1.0), m),), np.zeros(m), (m,), name)
    return (costs, Max(first, window, each, (1,), name))
