"""Which inputs make a decision, and by how much? `contributions`: `w_i x_i` for each input, and a constant.

On the whole cell of an input x the network is one affine map, and so is the margin of a class over another one:
`w . x + c`. The terms of this sum say what each input contributes; nothing is approximated or sampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.arithmetic.constants import SLACK_LONG, UNIT_ROUNDOFF
from reluatlas.decisions.question import asked
from reluatlas.decisions.rows import bounded_outputs, bounded_sums, margin_maps
from reluatlas.memory import in_a_sentence, require_memory
from reluatlas.network.batches import Plan, Points, run_batches
from reluatlas.network.network import Network, require_network
from reluatlas.network.patterns.decide import Chooser
from reluatlas.network.values.bounded import FloatBounds
from reluatlas.network.values.float64 import outputs as outputs_of
from reluatlas.progress import Progress, tells
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray, IntArray

_COPIES = 6  # of a batch's rows that may exist at once


@dataclass(frozen=True, eq=False, repr=False)
class Contributions(Shown):
    """What each input contributes to what is asked, at N points.

    Attributes
    ----------
    parts : ndarray, shape (N, *input_shape)
        `w_i x_i`, in output units.
    constants : ndarray, shape (N,)
        What does not depend on the input, on the cell that holds it.
    values : ndarray, shape (N,)
        What is explained: the margin, or the output.
    errors : ndarray, shape (N,)
        Bounds on how far the sum of `parts` and `constants`, in float64 and in any order, is from the exact value.
    labels, against : ndarray of int, shape (N,)
        The class of each point and the one that it is compared with; -1 where an output is explained.
    is_on_face : ndarray of bool, shape (N,)
        Whether several cells meet at the point, so that the parts are those of one of them: the cell of `affine_at`.
    """

    parts: FloatArray
    constants: FloatArray
    values: FloatArray
    errors: FloatArray
    labels: IntArray
    against: IntArray
    is_on_face: NDArray[np.bool_]

    def __len__(self) -> int:
        return self.values.size

    @property
    def sums(self) -> FloatArray:
        """The sum of parts and constant at each point, shape (N,)."""
        return self.parts.reshape(len(self), -1).sum(axis=1) + self.constants


@in_a_sentence
@tells("points", "total")
def contributions(
    net: Network,
    X: ArrayLike,
    against: int | str | None = None,
    *,
    output: int | None = None,
    memory: int | None = None,
    jobs: int | None = None,
    progress: Progress = None,
) -> Contributions:
    """Return what each input contributes to the margin of the class at each point, or to an output.

    On the cell of x the margin is `w . x + c`; the contribution of input i is `w_i x_i`, that of no input `c`.

    Parameters
    ----------
    net : Network
    X : array_like, shape (N, *input_shape), (N, n_inputs), or a single point
        Points, in input units: before a `mean` and `std` with which the network was loaded.
    against : int or str, optional
        The class that the margin is taken over; the runner-up of each point when None.
    output : int, optional
        Explain this output in place of a margin.
    memory : int, optional
        Bytes that may be used at once for points in work; 2**28 by default.
    jobs : int, optional
        Threads; all cores when None.
    progress : bool or callable(what, done, share), optional
        True shows a bar.

    Returns
    -------
    Contributions

    Raises
    ------
    DimensionError, NonFiniteError
        See `Network.points`.
    ArgumentError
        When there is no such class or output, when a point's own class is `against`, or the network has no classes.
    OutOfMemoryError
        When the answer does not fit into memory.

    Guarantees
    ----------
    The cell is chosen exactly, as by `affine_at`; numbers are float64, and `errors` hold for their sum.

    Cost
    ----
    About four forward passes a point, and memory for the answer: 8 bytes for each input of each point.

    References
    ----------
    [Sattelberg2023] for the map that holds on a polytope; [Sundararajan2017] for what a sum of contributions is to
    fulfil.

    Examples
    --------
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0, 0.0], [0.0, 1.0]], [0.0, -1.0]), ([[2.0, 1.0], [0.0, 3.0]], [1.0, 0.0])])
    >>> found = ra.contributions(net, [[3.0, 2.0]])  # outputs 2x + y and 3y - 3 there: the margin is 2x - 2y + 3
    >>> found.parts.tolist(), found.constants.tolist(), found.values.tolist()
    ([[6.0, -4.0]], [3.0], [5.0])
    """
    require_network(net)
    points = Points(net, X)
    n, n_inputs = len(points), net.n_inputs
    require_memory(8.0 * n * (n_inputs + 4), f"contributions of {n_inputs:,} inputs at {n:,} points", "Pass fewer.")
    parts, constants, values, errors = np.empty((n, n_inputs)), np.empty(n), np.empty(n), np.empty(n)
    labels, others = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    on_face = np.zeros(n, dtype=bool)
    chooser, bounds = Chooser(net, points, perturb=True), FloatBounds()

    def work(batch: slice) -> None:
        rows, known = points[batch], chooser(batch)
        on_face[batch] = known.on_face
        found = outputs_of(net, rows)
        factors = np.zeros((rows.shape[0], net.n_outputs))
        for i, outputs in enumerate(found):
            question = asked(net, outputs, against, output)
            factors[i] = question.row(net.n_outputs)
            labels[batch.start + i] = question.label
            others[batch.start + i] = -1 if question.against is None else question.against
        maps = margin_maps(net, factors, known.choice, rows.shape[0])
        np.multiply(maps.weights, rows, out=parts[batch])
        constants[batch] = maps.constants
        values[batch], off = bounded_sums(bounded_outputs(net, rows, known.choice, bounds), factors)
        sizes = np.abs(parts[batch]).sum(axis=1) + np.abs(constants[batch])
        sums = parts[batch].sum(axis=1) + constants[batch]
        # the sum in another order is off by as much again
        rounding = 2 * (n_inputs + 2) * UNIT_ROUNDOFF * sizes
        errors[batch] = (np.abs(sums - values[batch]) + off + rounding) * SLACK_LONG

    plan = Plan.of(net, n, memory, width=1, extra=_COPIES * 8 * (n_inputs + 1), jobs=jobs)
    run_batches(work, n, plan, progress)  # type: ignore[arg-type]
    return Contributions(parts.reshape(n, *net.input_shape), constants, values, errors, labels, others, on_face)
