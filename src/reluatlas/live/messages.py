"""What may a page ask? A window of the plane; everything else is refused with a reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import isfinite
from typing import Any

MOST_BYTES = 64 * 1024
_LARGEST_ID = 2**53


class MessageError(ValueError):
    """A message that is none; its text is the reason."""


@dataclass(frozen=True)
class WindowRequest:
    """A part of the plane that is looked at.

    Attributes
    ----------
    id : int
        What the answer is to be called.
    low, high : tuple of float
        Corners, in the coordinates of the domain.
    """

    id: int
    low: tuple[float, float]
    high: tuple[float, float]


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
    if not isinstance(asked, dict) or set(asked) != {"id", "window"}:
        raise MessageError('expected {"id": ..., "window": [...]}')
    number, window = asked["id"], asked["window"]
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _LARGEST_ID:
        raise MessageError("`id` must be a whole number")
    if not isinstance(window, list) or len(window) != 4 or not all(_is_number(v) for v in window):
        raise MessageError("`window` must be four finite numbers")
    x0, y0, x1, y1 = map(float, window)
    if not (x0 < x1 and y0 < y1):
        raise MessageError("`window` must be low corner, high corner")
    return WindowRequest(number, (x0, y0), (x1, y1))


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return isfinite(float(value))
    except OverflowError:
        return False


def _refuse(name: str) -> Any:
    raise ValueError(name)
