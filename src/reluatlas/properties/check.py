"""Is a property certain? `check_property`: search every box, prove what was found, and say what is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from os import PathLike
from pathlib import Path

import numpy as np

from reluatlas.answers.limits import Limits, StoppedBy
from reluatlas.certify.binary import without_max
from reluatlas.certify.property_check import PropertyReport, check_property_certificate
from reluatlas.certify.property_form import PropertyCertificate
from reluatlas.certify.statement import Property
from reluatlas.certify.tree_form import network_digest
from reluatlas.deadline import current, look, under
from reluatlas.errors import ArgumentError, TimeLimitError
from reluatlas.network.batches import one_blas_thread
from reluatlas.network.network import Network, require_network
from reluatlas.progress import Progress, Searched, tells
from reluatlas.properties.answer import OpenPart, PropertyAnswer, Violation
from reluatlas.properties.load import load_property
from reluatlas.properties.replay import replay
from reluatlas.properties.search import Engine, Search

_FOR_SEARCH = 0.95  # of the time, while no certificate is to be checked
_MOST_TOLD = 1000  # parts that are left


@tells("parts", "share")
def check_property(
    net: Network,
    prop: Property | str | PathLike[str],
    *,
    max_seconds: float | None = None,
    jobs: int | None = None,
    certificate: str | PathLike[str] | None = None,
    model: str | PathLike[str] | None = None,
    seed: int = 0,
    progress: Progress = None,
) -> PropertyAnswer:
    """Return whether a network has a property, for certain: it holds, is violated, or was not decided in time.

    The property is violated when the exact output at some point of its boxes satisfies all inequalities of a case:
    points are real numbers, outputs are those of real arithmetic on the imported weights, and sets are closed. It holds
    when there is no such point. A box that is flat in some inputs is a set like others; where all ends are equal it is
    a point.

    Parameters
    ----------
    net : Network
    prop : Property, path or str
        What `load_property` returns, or takes: a `.vnnlib` file. Its inputs are those that the network takes as it was
        loaded: in the user's units, where `mean` and `std` were given.
    max_seconds : float, optional
        When it is over, the property is open.
    jobs : int, optional
        Threads; all cores when None. The verdict is the same for any number.
    certificate : path, optional
        Where to write the certificate of a property that holds.
    model : path, optional
        The ONNX model, to be run at a witness in its own precision, by onnxruntime where that is installed.
    seed : int
        Of the points where a violation is looked for first.
    progress : True or callable, optional
        Called with the parts that were bounded and the share of the boxes that is done.

    Returns
    -------
    PropertyAnswer
        With `verdict`, and its `certificate`, its `witness`, or what is `left`.

    Raises
    ------
    PropertyError, DimensionError, ArgumentError
        For a property that cannot be read or is of other sizes, with the line and column.

    Guarantees
    ----------
    Exact. "holds" is said only once the certificate was proved by `reluatlas.certify.check_property_certificate`, which
    shares nothing with the search; "violated" only of a point that was evaluated in ratios. Up to 12 inputs that are
    not fixed every search ends; beyond, a part whose decision takes exact arithmetic may stay open.

    Cost
    ----
    Each part is followed backward through the network once a layer, by products of matrices, many parts at once: about
    400 to 3,000 parts a second for ACAS Xu. How many there are, nobody knows before.

    References
    ----------
    [KatzBarrettDillJulianKochenderfer2017]: the question, and that it is NP-complete. [ZhangEtAl2018],
    [SinghGehrPueschelVechev2019]: the linear bounds. [WangEtAl2021]: weights for the sides of units.

    Examples
    --------
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])  # |x|
    >>> names = "(declare-const X_0 Real) (declare-const Y_0 Real)"
    >>> box = "(assert (>= X_0 -1)) (assert (<= X_0 0.5))"
    >>> ra.check_property(net, names + box + "(assert (>= Y_0 1.001))").verdict
    'holds'
    >>> ra.check_property(net, names + box + "(assert (>= Y_0 1))").witness.x
    array([-1.])
    """
    require_network(net)
    limits = Limits(max_seconds=max_seconds, jobs=jobs)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ArgumentError(f"`seed={seed!r}` must be a whole number of at least 0.")
    if certificate is not None and Path(certificate).is_dir():
        raise ArgumentError(f"`certificate={str(certificate)!r}` is a folder; pass the path of a file.")
    begin = time.monotonic()
    if not isinstance(prop, Property):
        prop = load_property(prop, net)
    prop.require_sizes(net.n_inputs, net.n_outputs)
    run = _Run(net, prop, limits, int(seed), progress)  # type: ignore[arg-type]
    with under(limits.deadline):
        stopped_by = run.search()
    witness = None
    if run.witness is not None:
        found = run.witness
        output = None if model is None else replay(model, found.x)
        witness = Violation(found.x, found.y, found.case, output)
    proof = run.certificate if run.report is not None and run.report.is_ok else None
    if proof is not None and certificate is not None:
        proof.save(certificate)
    left = [] if witness is not None or proof is not None else run.left()
    return PropertyAnswer(
        verdict="violated" if witness is not None else "holds" if proof is not None else "open",
        statement=prop,
        certificate=proof,
        report=run.report if proof is not None else None,
        witness=witness,
        left=tuple(left),
        share_left=0.0 if witness is not None or proof is not None else run.share_left,
        n_parts=sum(search.n_parts for search in run.searches),
        seconds=time.monotonic() - begin,
        stopped_by=stopped_by if witness is None and proof is None else "",
    )


class _Run:
    """Searches of all boxes of a property, and the check of what they claim."""

    def __init__(self, net: Network, prop: Property, limits: Limits, seed: int, progress: Searched | None) -> None:
        self.net, self.prop, self.limits, self.progress = net, prop, limits, progress
        engine = Engine(net, without_max(net))
        self.searches = [Search(engine, low, high, cases, seed) for low, high, cases in prop.areas()]
        self.report: PropertyReport | None = None
        self.certificate: PropertyCertificate | None = None

    @property
    def witness(self):
        """What violates the property, if it was found."""
        return next((search.witness for search in self.searches if search.witness is not None), None)

    @property
    def share_left(self) -> float:
        """What of all boxes is not decided."""
        return max(0.0, 1.0 - sum(search.done for search in self.searches) / len(self.searches))

    def search(self) -> StoppedBy:
        """Search, and prove, until all is decided or a limit is reached; return which limit."""
        n_jobs = self.limits.n_jobs
        try:
            with (
                one_blas_thread(),
                ThreadPoolExecutor(n_jobs) if n_jobs > 1 else nullcontext() as pool,
            ):
                while True:
                    self._step_all(n_jobs, pool)
                    if self.witness is not None or any(search.stuck for search in self.searches):
                        return ""
                    if self._prove():
                        return ""
        except TimeLimitError:
            return "max_seconds"
        except KeyboardInterrupt:
            return "interrupt"

    def _step_all(self, n_jobs: int, pool: Executor | None) -> None:
        for search in self.searches:
            while not search.is_done:
                look()
                current().check()
                search.step(n_jobs, pool)
                if self.progress is not None:
                    self.progress(sum(s.n_parts for s in self.searches), 1.0 - self.share_left)
            if search.witness is not None:
                return

    def _prove(self) -> bool:
        """Check what is claimed; return whether it is proved. What is not, is looked at again."""
        trees = tuple(search.tree.finished() for search in self.searches)
        self.certificate = PropertyCertificate(network_digest(self.net), self.prop.digest(), trees)
        report = check_property_certificate(self.net, self.prop, self.certificate)
        self.report = report
        for i, search in enumerate(self.searches):
            search.reopen([leaf for tree, leaf in report.unproved if tree == i])
        return report.is_ok

    def left(self) -> list[OpenPart]:
        """Return what is not decided."""
        parts: Sequence = [part for search in self.searches for part in search.left]
        return [OpenPart(part.low, part.high, len(part.cuts)) for part in parts[:_MOST_TOLD]]
