"""Why is a unit gone? A `Removal`: the reason, and the bounds that prove it."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Reason = Literal["off", "on", "constant", "one winner", "unread", "equal", "opposite", "proportional", "approximated"]
Method = Literal["bounds", "linear program", "cells", "coefficients"]
METHODS: tuple[Method, ...] = get_args(Method)

WORDS: dict[str, str] = {
    "off": "always off: it gives 0",
    "on": "never bends: its piece is one affine function, which what reads it reads in its place",
    "constant": "gives one number",
    "one winner": "one candidate is never smaller than the others",
    "unread": "nothing that the outputs need reads it",
    "equal": "another unit gives the same",
    "opposite": "another unit reads the negative of what it reads, up to a factor",
    "proportional": "another unit gives a multiple of what it gives",
    "approximated": "what it gives is nearly affine, and the outputs change by no more than the tolerance",
}


class Removal(NamedTuple):
    """One unit or window that went.

    Attributes
    ----------
    unit : int
        Its column in the activation patterns of the network that was simplified.
    reason : str
        One of "off", "on", "constant", "one winner", "unread", "equal", "opposite", "proportional", "approximated".
    piece : int
        The piece, or the candidate, that it is everywhere on the domain; -1 where the reason is another.
    low, high : float
        Certain bounds on what it reads (of a window: on its value); infinite where they are not what proves it.
    method : str
        "bounds", "linear program", "cells": all of them on the domain, exactly; or "coefficients": of the network,
        which are compared exactly.
    other : int
        The unit that is kept in its place, as a column of patterns; -1 where there is none.
    """

    unit: int
    reason: Reason
    piece: int = -1
    low: float = float("-inf")
    high: float = float("inf")
    method: Method = "coefficients"
    other: int = -1
