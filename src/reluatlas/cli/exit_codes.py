"""Which exit code does a command end with? 0 done, 2 bad input, 3 stopped before complete, 130 interrupted.

1 is a bug of reluatlas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DONE, BUG, BAD_INPUT, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 130


def exit_code(numbers: Mapping[str, Any]) -> int:
    """Return the exit code that an answer deserves."""
    if numbers["is_complete"]:
        return INCOMPLETE if numbers.get("left_out") else DONE
    return INTERRUPTED if numbers["stopped_by"] == "interrupt" else INCOMPLETE
