"""How are arrays called in signatures? One name for each kind, for all files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
"""Numbers in float64."""

IntArray = NDArray[np.int64]
"""Whole numbers: indices, offsets, counts, pieces."""
