"""What may a page ask? A window of a plane; everything else is refused with a reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any

MOST_BYTES = 64 * 1024
_LARGEST_ID = 2**53
_FARTHEST = 4.0  # of the way from one image to another
Anchor = tuple[int, int, float]
"""An input and another, by their places in the strip, and how far the anchor lies on the way between them."""


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
    """

    id: int
    window: tuple[float, float, float, float] | None
    plane: tuple[Anchor, Anchor, Anchor] | None = None


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
    if not isinstance(asked, dict) or set(asked) not in ({"id", "window"}, {"id", "window", "plane"}):
        raise MessageError('expected {"id": ..., "window": [...]}, and perhaps "plane"')
    number = asked["id"]
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _LARGEST_ID:
        raise MessageError("`id` must be a whole number")
    return WindowRequest(number, _window(asked["window"]), _plane(asked.get("plane")))


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


def _anchor(start: Any, to: Any, share: Any) -> Anchor:
    if not all(isinstance(i, int) and not isinstance(i, bool) and 0 <= i < _LARGEST_ID for i in (start, to)):
        raise MessageError("an anchor is between two inputs, by their numbers")
    if not _is_number(share) or abs(share) > _FARTHEST:
        raise MessageError("an anchor's share of the way must be a moderate number")
    return start, to, float(share)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return isfinite(float(value))
    except OverflowError:
        return False


def _refuse(name: str) -> Any:
    raise ValueError(name)
