"""What does each input add on the way from another one? Integrated gradients, exactly: a finite sum over pieces.

The margin is affine on each piece of a path, so the integral of its gradient is the sum over pieces of the piece's
length times its weights: no steps, no sampling. What 50 or 300 steps give can be put beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from reluatlas.deadline import look
from reluatlas.decisions.question import Question, asked
from reluatlas.decisions.rows import margin_maps
from reluatlas.domain import Segment
from reluatlas.errors import ArgumentError, DomainError, TimeLimitError
from reluatlas.memory import in_a_sentence
from reluatlas.network.batches import Plan, Points
from reluatlas.network.network import Network, require_network
from reluatlas.network.patterns.decide import Chooser
from reluatlas.network.values.float64 import outputs as outputs_of
from reluatlas.paths.trace import trace
from reluatlas.progress import Progress
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray


@dataclass(frozen=True, eq=False, repr=False)
class IntegratedGradients(Shown):
    """What each input adds to a margin, or an output, between a baseline and a point.

    Attributes
    ----------
    network : Network
    x, baseline : ndarray, of the input's shape
    question : Question
        What is explained; the class is that of `x`.
    parts : ndarray, of the input's shape
    difference : float
        What is explained at `x`, minus that at the baseline.
    n_pieces : int
        Pieces of the path, of which the sum is made.
    """

    network: Network
    x: FloatArray
    baseline: FloatArray
    question: Question
    parts: FloatArray
    difference: float
    n_pieces: int

    @property
    def gap(self) -> float:
        """How far the sum of the parts is from the difference: rounding alone."""
        return abs(float(self.parts.sum()) - self.difference)

    def with_steps(self, n_steps: int) -> FloatArray:
        """Return what the usual approximation gives: gradients at the middles of so many equal steps, averaged.

        Raises
        ------
        ArgumentError
            When it is no whole number above 0.
        """
        if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 1:
            raise ArgumentError(f"`n_steps={n_steps!r}` must be a whole number above 0.")
        middle = (np.arange(n_steps) + 0.5) / n_steps
        start, way = self.baseline.reshape(-1), (self.x - self.baseline).reshape(-1)
        points = Points(self.network, start + middle[:, None] * way)
        chooser, total = Chooser(self.network, points, perturb=True), np.zeros(self.network.n_inputs)
        factors = self.question.row(self.network.n_outputs)[None]
        for batch in _batches(self.network, n_steps):
            choice = chooser(batch).choice
            total += margin_maps(self.network, factors, choice, batch.stop - batch.start).weights.sum(axis=0)
        return (total / n_steps * way).reshape(self.x.shape)

    def __repr__(self) -> str:
        what = self.question.words(self.network)
        return f"IntegratedGradients({what}: {self.difference:.6g} in {self.n_pieces:,} pieces, gap {self.gap:.1e})"


@in_a_sentence
def integrated_gradients(
    net: Network,
    x: ArrayLike,
    baseline: ArrayLike | None = None,
    *,
    against: int | str | None = None,
    output: int | None = None,
    max_seconds: float | None = None,
    progress: Progress = None,
) -> IntegratedGradients:
    """Return the exact integrated gradients of the margin of a class, or of an output, along a straight path.

    Input i adds `(x_i - b_i)` times the mean, over the segment from the baseline b to x, of the derivative of the
    margin by it. On a piece of the segment that is one number, so the mean is a sum over the pieces of `trace`.

    Parameters
    ----------
    net : Network
    x : array_like, of an input's shape or (n_inputs,)
    baseline : array_like, of an input's shape or (n_inputs,), optional
        Where the path begins; all zeros when None.
    against : int or str, optional
        The class that the margin is taken over; the runner-up at `x` when None. The class is that of `x`.
    output : int, optional
        Explain this output in place of a margin.
    max_seconds : float, optional
        Limit on the whole.
    progress : bool or callable(what, done, share), optional
        True shows a bar.

    Returns
    -------
    IntegratedGradients

    Raises
    ------
    ArgumentError
        When there is no such class or output, or the network has no classes.
    DimensionError, NonFiniteError, DomainError
        When a point does not fit the network, or both are the same.
    TimeLimitError
        When the time was over before the path was whole.

    Guarantees
    ----------
    The pieces are exact; lengths, weights and their sum are float64. On a piece that lies inside of a face, a unit that
    is zero on all of it is off, and of equal candidates the lowest wins: as torch takes the derivative there.

    Cost
    ----
    `trace`, and a backward pass for each piece.

    References
    ----------
    [Sundararajan2017] for integrated gradients and what they fulfil.

    Examples
    --------
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0], [1.0]], [0.0, -0.5]), ([[1.0, -2.0]], [0.0])], classes=None)
    >>> found = ra.integrated_gradients(net, [1.0], [-1.0])  # relu(x) - 2 relu(x - 0.5): 0, then 1, then -1
    >>> found.parts.tolist(), found.difference, found.n_pieces
    ([0.0], 0.0, 3)
    """
    require_network(net)
    rows, _ = net.points(x)
    if rows.shape[0] != 1:
        raise DomainError(f"`x` holds {rows.shape[0]:,} points; pass one.")
    start = np.zeros_like(rows) if baseline is None else net.points(baseline)[0]
    if start.shape[0] != 1:
        raise DomainError(f"`baseline` holds {start.shape[0]:,} points; pass one.")
    if np.array_equal(start, rows):
        raise DomainError("`baseline` is `x` itself: there is no path between them. Pass another one.")
    ends = outputs_of(net, np.concatenate([start, rows]))
    question = asked(net, ends[1], against, output)
    path = trace(net, Segment(start[0], rows[0]), max_seconds=max_seconds, progress=progress)
    if not path.is_complete:
        raise TimeLimitError(
            f"the path from the baseline was traced up to t = {path.reached:.3g} of 1 only, stopped by "
            f"{path.stopped_by}. Allow more seconds."
        )
    factors, lengths, patterns = question.row(net.n_outputs)[None], np.diff(path.edges), path.patterns
    total = np.zeros(net.n_inputs)
    for batch in _batches(net, path.n_pieces):
        look()
        choice = {t: patterns[batch, s].astype(np.int64) for t, s in net.pattern_slices().items()}
        total += lengths[batch] @ margin_maps(net, factors, choice, batch.stop - batch.start).weights
    parts = total * (rows[0] - start[0])
    shape = net.input_shape
    return IntegratedGradients(
        net, rows.reshape(shape), start.reshape(shape), question, parts.reshape(shape),
        float(factors[0] @ (ends[1] - ends[0])), path.n_pieces,
    )  # fmt: skip


def _batches(net: Network, n: int) -> list[slice]:
    size = Plan.of(net, n, None, width=1, extra=16 * net.n_inputs, jobs=1).size
    return [slice(i, min(i + size, n)) for i in range(0, n, size)]
