"""Do the settings of a fit make sense for this many points? `check_settings` raises where not."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from reluatlas.errors import ArgumentError

_LEAST_WHOLE = {"n_pieces": 1, "n_components": 1, "epochs": 0}
_LEAST = {"alpha": 0.0, "learning_rate": 0.0, "weight_decay": 0.0, "squared_share": 0.0}


def check_settings(estimator: Any, n_points: int) -> None:
    """Raise `ArgumentError` for a setting out of its range, or more pieces than points."""
    for name, value in estimator.get_params().items():
        if name in _LEAST_WHOLE:
            least = _LEAST_WHOLE[name]
            if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
                raise ArgumentError(f"`{name}={value!r}` must be a whole number of at least {least}.")
        elif name in _LEAST:
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not number or not np.isfinite(float(value)) or float(value) < _LEAST[name]:
                raise ArgumentError(f"`{name}={value!r}` must be a finite number of at least {_LEAST[name]:g}.")
    if estimator.n_pieces > n_points:
        points = "1 sample" if n_points == 1 else f"n_samples={n_points}"
        raise ArgumentError(
            f"`n_pieces={estimator.n_pieces}` is more than the points to fit them to ({points}). Ask for fewer pieces."
        )
