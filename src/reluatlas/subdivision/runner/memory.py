"""Does a run fit into memory? Its buffers are weighed before they are allocated.

A count does not grow after that: the tree is walked depth first in portions (`BUDGET` in `subdivision/items.py`), and
of finished items only sums are kept (`tally.py`).
"""

from __future__ import annotations

from reluatlas.memory import available_memory, require_memory
from reluatlas.subdivision.items import BUDGET
from reluatlas.subdivision.path.composition import state_bytes
from reluatlas.subdivision.program.layout import Lowered


def check_memory(lowered: Lowered, jobs: int, *, collect: bool) -> None:
    """Refuse a network whose state, and what it finds of one item, do not fit into memory, before it is allocated."""
    # the program is there already, and what is available counts it
    made = sum(array.nbytes for array in lowered.program)
    need, there = state_bytes(lowered.program), available_memory()
    if collect:
        per_cell = lowered.n_units * lowered.piece_dtype.itemsize + 8 * lowered.n_outputs * (lowered.domain.dim + 1)
        need += BUDGET * per_cell
    fits_alone = there is not None and made + need <= there
    require_memory(
        made + jobs * need,
        f"this network with the state of one path through it for each of {jobs} jobs" if jobs > 1 else
        "this network with the state of one path through it",
        "Pass a smaller `jobs`." if jobs > 1 and fits_alone else "Take a smaller network, or smaller inputs.",
    )  # fmt: skip
