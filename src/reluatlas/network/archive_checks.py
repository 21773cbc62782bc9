"""Do the parts of a stored network make one? Types and shapes, before anything compiled or exact sees them.

`Network` checks that nodes fit on each other; it is made by importers, which make arrays of the right kinds. A file may
hold anything.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.network.operators import Convolution, Gather, LinearOperator, Sparse
from reluatlas.network.record import Affine, Breakpoints, Graph, Max, Node

_NUMBERS = ("weight", "bias", "scale", "values", "knots", "slopes", "intercepts")
_AXES = {"weight": (2, 3), "places": (2,), "knots": (2,), "slopes": (2,), "intercepts": (2,)}
_NOTES = ("rounded", "folded", "dropped", "checked")


def checked_array(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of a node or operator: float64 numbers, or int64 places.

    Raises
    ------
    ValueError
        When it is of another type, or of another number of axes.
    """
    wanted = np.float64 if name in _NUMBERS else np.int64
    if array.dtype != wanted or array.ndim not in _AXES.get(name, (1,)):
        raise ValueError(f"`{name}` is {array.dtype} with {array.ndim} axes; expected {np.dtype(wanted)}")
    return array


def checked_value(name: str, value: Any) -> Any:
    """Return a shape, a number, numbers of nodes, or a text.

    Raises
    ------
    ValueError
        When it is something else.
    """
    if name in ("shape", "inputs"):
        if not isinstance(value, list) or not all(_is_whole(v) and v >= 0 for v in value):
            raise ValueError(f"`{name}` is {_short(value)}; expected whole numbers")
        return tuple(value)
    if name == "name":
        if not isinstance(value, str):
            raise ValueError(f"`name` is {_short(value)}; expected a text")
    elif not _is_whole(value) or value < 0:
        raise ValueError(f"`{name}` is {_short(value)}; expected a whole number")
    return value


def checked_note(note: Any) -> tuple[Any, str, str]:
    """Return the three texts of a note.

    Raises
    ------
    ValueError
        When they are none.
    """
    if (
        not isinstance(note, list)
        or len(note) != 3
        or note[0] not in _NOTES
        or not all(isinstance(n, str) for n in note)
    ):
        raise ValueError(f"{_short(note)} is no note")
    return note[0], note[1], note[2]


def checked_parts(parts: Any, shape: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Return the names and shapes of the parts of a joint input of a shape.

    Raises
    ------
    ValueError
        When they are none, or do not fill it.
    """
    if not isinstance(parts, list) or not all(isinstance(p, list) and len(p) == 2 for p in parts):
        raise ValueError("`parts` are no names and shapes")
    out = [(checked_value("name", name), checked_value("shape", inner)) for name, inner in parts]
    if out and (sum(prod(inner) for _, inner in out) != prod(shape) or len({name for name, _ in out}) != len(out)):
        raise ValueError("`parts` do not fill the input, each once")
    return out


def checked_names(names: Any) -> tuple[str, ...]:
    """Return the names of classes.

    Raises
    ------
    ValueError
        When they are no texts.
    """
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("`class_names` are no texts")
    return tuple(names)


def check_nodes(network: Graph) -> None:
    """Refuse nodes that no importer makes, though they fit on each other.

    Raises
    ------
    ValueError
        When knots do not ascend, windows or rows are not what they say.
    """
    if not 0 <= network.output < len(network.nodes):
        raise ValueError(f"its output is node {network.output} of {len(network.nodes)}")
    for i, node in enumerate(network.nodes):
        why = _what_is_wrong(node)
        if why:
            raise ValueError(f"node {i}, `{getattr(node, 'name', '')[:80]}`: {why}")


def _what_is_wrong(node: Node) -> str:
    if isinstance(node, Affine):
        return next(filter(None, map(_wrong_operator, node.operators)), "")
    if isinstance(node, Breakpoints):
        return _wrong_pieces(node)
    if isinstance(node, Max) and not (
        node.offsets[0] == 0 and node.offsets[-1] == node.candidates.size and np.all(np.diff(node.offsets) > 0)
    ):
        return "its windows do not hold its candidates"
    return ""


def _wrong_operator(operator: LinearOperator) -> str:
    if isinstance(operator, Gather):
        return "" if operator.n_in < 2**62 else "it reads too many numbers"
    if isinstance(operator, Sparse):
        row = np.repeat(np.arange(operator.n_out), np.diff(operator.indptr))
        order = np.lexsort((operator.indices, row))
        twice = (np.diff(row[order]) == 0) & (np.diff(operator.indices[order]) == 0)
        return "an entry is there twice" if twice.any() else ""
    if isinstance(operator, Convolution):
        taps = np.sort(operator.places, axis=0)
        twice = (np.diff(taps, axis=0) == 0) & (taps[1:] >= 0)
        return "a tap is twice at one place" if twice.any() else ""
    return ""


def _wrong_pieces(node: Breakpoints) -> str:
    n, q = node.knots.shape
    if n != prod(node.shape) or node.slopes.shape != (n, q + 1) or node.intercepts.shape != (n, q + 1):
        return "its knots and pieces do not fit together"
    live = np.isfinite(node.knots)
    if not np.all(live | (node.knots == np.inf)) or np.any(live[:, 1:] & ~live[:, :-1]):
        return "its knots are not finite numbers with infinity behind them"
    if np.any(live[:, 1:] & ~(node.knots[:, 1:] > node.knots[:, :-1])):
        return "its knots do not ascend"
    return ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: Any) -> str:
    return f"{value!r}"[:60]
