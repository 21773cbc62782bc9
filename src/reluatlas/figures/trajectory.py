"""What changes while a network learns? Counts of its exact complexes over time, beside the accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.analysis.trajectories.measure import TrajectoryMeasures
from reluatlas.errors import ArgumentError
from reluatlas.figures import colors as palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANELS = (
    ("accuracy", (("accuracy", ""),)),
    (
        "pieces",
        (("n_cells", "cells"), ("n_linear_regions", "linear regions"), ("n_boundary_pieces", "boundary pieces")),
    ),
    ("neurons that cut nothing", (("n_dead", "dead"), ("n_always_on", "always on"))),
    ("spread of dual points", (("spread", ""),)),
)


def trajectory(measures: TrajectoryMeasures | Sequence[TrajectoryMeasures], *, axes: Any = None) -> NDArray[np.object_]:
    """Return four axes, shape (4,), with the measures of a trajectory over the training steps.

    From left to right: the accuracy; cells, linear regions and pieces of the decision boundary;
    neurons that cut nothing on the domain; the area-weighted spread of the dual points.

    Parameters
    ----------
    measures : TrajectoryMeasures or sequence of them
        What `Trajectory.measure` returned. Of several (other seeds), the first is drawn strongly
        and the others faintly behind it.
    axes : array of 4 matplotlib Axes, optional
        A new figure when None.
    """
    runs = [measures] if isinstance(measures, TrajectoryMeasures) else list(measures)
    if not runs or not all(isinstance(m, TrajectoryMeasures) for m in runs):
        raise ArgumentError("`measures` must be what `Trajectory.measure` returned, or several of them.")
    panels = _axes(axes)
    for ax, (title, lines) in zip(panels, _PANELS, strict=True):
        for (name, label), color in zip(lines, palette.series(len(lines)), strict=True):
            for position, run in reversed(list(enumerate(runs))):
                first, wide = position == 0, 1.6 if name == "n_cells" else 0.0  # other counts may lie on top of it
                ax.plot(
                    run.steps,
                    getattr(run, name),
                    color=color,
                    linewidth=wide + (1.3 if first else 0.8),
                    alpha=1.0 if first else 0.3,
                    label=label if first and label else None,
                    zorder=(3.0 if first else 2.0) - 0.1 * wide,
                )
        ax.set_title(title, fontsize="medium")
        ax.set_xlabel("batches")
        ax.set_xlim(runs[0].steps[0], max(runs[0].steps[-1], runs[0].steps[0] + 1))
        ax.set_ylim(bottom=0.0)
        if len(lines) > 1:
            ax.locator_params(axis="y", integer=True)
            ax.legend(fontsize="small", loc="best", framealpha=0.85, edgecolor="none")
    panels[0].set_ylim(0.0, 1.03)
    return panels


def _axes(axes: Any) -> NDArray[np.object_]:
    if axes is None:
        from matplotlib import pyplot

        axes = pyplot.subplots(1, len(_PANELS), figsize=(14.0, 3.2), layout="compressed")[1]
    given: list[Axes] = list(np.asarray(axes, dtype=object).reshape(-1))
    if len(given) != len(_PANELS):
        raise ArgumentError(f"`axes` holds {len(given)} axes; there are {len(_PANELS)} panels. Pass as many, or None.")
    out = np.empty(len(given), dtype=object)
    out[:] = given
    return out
