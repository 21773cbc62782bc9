"""What may a page ask? A window of a plane, of one step of a training; the rest is refused with a reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any

MOST_BYTES = 64 * 1024
_LARGEST_ID = 2**53
_FARTHEST = 4.0  # of the way from one image to another
_FULL_TURN = 6.3
_MORE = {"plane", "turn", "step", "maps", "moving"}
Anchor = tuple[int, int, float]
"""An input and another, by their places in the strip, and how far the anchor lies on the way between them."""
Turn = tuple[int, int, float]
"""The anchor that the plane turns about (0, 1 or 2), the input that it turns toward, and by how much, in radians."""


class MessageError(ValueError):
    """A message that is none; its text is the reason."""


@dataclass(frozen=True)
class WindowRequest:
    """A part of the plane that is looked at.

    Attributes
    ----------
    id : int
        What the answer is to be called.
    window : tuple of float, or None
        Low corner, high corner, in the coordinates of the domain; None for the whole.
    plane : tuple of Anchor, or None
        The three anchors of the plane; None for the one that the server was started with.
    turn : Turn, or None
        Of the plane through the anchors.
    step : int
        Which time of a trajectory.
    maps : bool
        Whether cells are to be colored by their affine maps, which takes longer.
    moving : bool
        Whether the hand still moves: then what is found in a moment is enough.
    """

    id: int
    window: tuple[float, float, float, float] | None
    plane: tuple[Anchor, Anchor, Anchor] | None = None
    turn: Turn | None = None
    step: int = 0
    maps: bool = False
    moving: bool = False


def parsed(text: Any) -> WindowRequest:
    """Return what a message asks for.

    Raises
    ------
    MessageError
        When it is not text, too long, no JSON, or does not ask for a window.
    """
    if not isinstance(text, str):
        raise MessageError("expected text")
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise MessageError("the message is too long")
    try:
        asked = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise MessageError("the message is no JSON") from None
    if not isinstance(asked, dict) or not {"id", "window"} <= set(asked) <= {"id", "window"} | _MORE:
        raise MessageError(f'expected {{"id": ..., "window": [...]}}, and perhaps {", ".join(sorted(_MORE))}')
    if not _is_count(asked["id"]):
        raise MessageError("`id` must be a whole number")
    if not _is_count(asked.get("step", 0)):
        raise MessageError("`step` must be a whole number")
    if not all(isinstance(asked.get(name, False), bool) for name in ("maps", "moving")):
        raise MessageError("`maps` and `moving` must be true or false")
    plane, turn = _plane(asked.get("plane")), _turn(asked.get("turn"))
    if turn is not None and plane is None:
        raise MessageError("`turn` needs the anchors of a plane")
    return WindowRequest(
        asked["id"], _window(asked["window"]), plane, turn, asked.get("step", 0), asked.get("maps", False),
        asked.get("moving", False),
    )  # fmt: skip


def _window(window: Any) -> tuple[float, float, float, float] | None:
    if window is None:
        return None
    if not isinstance(window, list) or len(window) != 4 or not all(_is_number(v) for v in window):
        raise MessageError("`window` must be four finite numbers")
    x0, y0, x1, y1 = map(float, window)
    if not (x0 < x1 and y0 < y1):
        raise MessageError("`window` must be low corner, high corner")
    return x0, y0, x1, y1


def _plane(plane: Any) -> tuple[Anchor, Anchor, Anchor] | None:
    if plane is None:
        return None
    if not isinstance(plane, list) or len(plane) != 3 or not all(isinstance(a, list) and len(a) == 3 for a in plane):
        raise MessageError("`plane` must be three anchors: [from, to, share]")
    a, b, c = (_anchor(*anchor) for anchor in plane)
    return a, b, c


def _turn(turn: Any) -> Turn | None:
    if turn is None:
        return None
    if not isinstance(turn, list) or len(turn) != 3 or not all(map(_is_count, turn[:2])) or turn[0] > 2:
        raise MessageError("`turn` must be an anchor, an input, and an angle")
    if not _is_number(turn[2]) or abs(turn[2]) > _FULL_TURN:
        raise MessageError("the angle of `turn` must be of one turn at most")
    return turn[0], turn[1], float(turn[2])


def _anchor(start: Any, to: Any, share: Any) -> Anchor:
    if not (_is_count(start) and _is_count(to)):
        raise MessageError("an anchor is between two inputs, by their numbers")
    if not _is_number(share) or abs(share) > _FARTHEST:
        raise MessageError("an anchor's share of the way must be a moderate number")
    return start, to, float(share)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_ID


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return isfinite(float(value))
    except OverflowError:
        return False


def _refuse(name: str) -> Any:
    raise ValueError(name)
