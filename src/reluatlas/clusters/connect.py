"""Which cluster, and can it be used? `cluster`: one that is running, or one of this machine's processors.

Ray is imported here and nowhere above. What was running before stays; what was started here ends here.
"""

from __future__ import annotations

import logging
import os
import platform
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version as version_of
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from reluatlas._version import __version__
from reluatlas.affine import AffineMaps
from reluatlas.answers.limits import Limits
from reluatlas.clusters.crew import RayCrew
from reluatlas.clusters.team import Team
from reluatlas.clusters.worker import shortly
from reluatlas.compiled import jit
from reluatlas.errors import ArgumentError, ClusterError, MissingDependencyError
from reluatlas.network.batches import available_cores
from reluatlas.network.network import Network
from reluatlas.subdivision.items import BUDGET, COUNT_BUDGET
from reluatlas.subdivision.program.layout import Lowered
from reluatlas.subdivision.runner.bench import Plan
from reluatlas.subdivision.runner.contract import Workers
from reluatlas.subdivision.runner.inline import Inline
from reluatlas.subdivision.runner.threads import Threads

RunnerName = Literal["inline", "threads", "ray"]
_ANSWER_S = 10.0
_IMPORT_S = 120.0
_ASK = """
import os, sys, threading
import ray._raylet
threading.Timer(float(sys.argv[2]), os._exit, [3]).start()
ray._raylet.GcsClient(address=sys.argv[1]).check_alive([], timeout=float(sys.argv[2]))
os._exit(0)
"""
_OURS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_LOCAL = {"RAY_worker_niceness": "0"}
"""Of a cluster of this machine: as urgent as threads would be."""
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""By this Ray keeps to 127.0.0.1, on any system; read when Ray is imported."""
_LOCAL_STORE = 256 << 20


class Cluster:
    """Workers on a Ray cluster: what `runner=` takes. Made by `reluatlas.cluster`; closed by `close` or `with`.

    Attributes
    ----------
    address : str
        Of the cluster.
    workers : int or None
        Workers of a run at the most; None: one for each processor.
    """

    def __init__(self, ray: Any, address: str, workers: int | None, *, is_ours: bool, is_connection_ours: bool) -> None:
        self.address, self.workers = address, workers
        self._ray, self._is_ours, self._is_connection_ours = ray, is_ours, is_connection_ours
        self._is_open = True
        self._team: Team | None = None

    @property
    def n_processors(self) -> int:
        """Processors of the cluster, at this moment."""
        return int(self._ray.cluster_resources().get("CPU", 0))

    def runner(self, lowered: Lowered, limits: Limits, *, collect: bool, measure: bool) -> RayCrew:
        """Return what works on the items of one run."""
        self._require_open()
        if self._team is None:
            self._team = Team(self._ray, self.workers)
        plan = Plan(lowered, collect, measure, BUDGET if collect else COUNT_BUDGET)
        return RayCrew(self._ray, plan, self._team, limits.jobs)

    def affine_at(
        self,
        net: Network,
        X: ArrayLike,
        outputs: Sequence[int] | int | None = None,
        *,
        ties: Literal["perturb", "torch"] = "perturb",
        dtype: DTypeLike = np.float64,
    ) -> AffineMaps:
        """Return what `net.affine_at(X)` does, worked out by the cluster, some thousand inputs at a time.

        Parameters
        ----------
        net : Network
        X : array_like, shape (N, *input_shape) or (N, n_inputs)
            Inputs.
        outputs, ties, dtype
            As for `Network.affine_at`.

        Returns
        -------
        AffineMaps
            In the order of the inputs.

        Raises
        ------
        ClusterError
            When a piece was lost several times.
        """
        from reluatlas.clusters.many import affine_at

        self._require_open()
        return affine_at(self._ray, max(1, self.workers or self.n_processors), net, X, outputs, ties, dtype)

    def _require_open(self) -> None:
        if not self._is_open:
            raise ClusterError("the cluster is closed. Make another one with `reluatlas.cluster`.")

    def close(self) -> None:
        """End the workers and leave the cluster; one that was started here ends."""
        if self._team is not None and self._ray.is_initialized():
            self._team.close()
        self._team = None
        if self._is_open and self._is_connection_ours:
            with _quiet():
                self._ray.shutdown()
        self._is_open = False

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not self._is_open:
            return "Cluster(closed)"
        return f"Cluster({self.address}, {self.n_processors} processors)"


def cluster(address: str = "auto", *, workers: int | None = None) -> Cluster:
    """Return a Ray cluster, for `runner=` of verbs: their work is done by its processes, with the same answers.

    Parameters
    ----------
    address : {"auto", "local"} or "HOST:PORT"
        "local": the processors of this machine, as a cluster of their own that nobody else reaches, and that ends with
        `close`. "auto": the cluster that runs on this machine, or that `RAY_ADDRESS` names. HOST:PORT: the one whose
        head is there; this machine must be a node of it, as with "auto".
    workers : int, optional
        Workers of a run at the most; one for each processor when None. `jobs=` of a verb limits them, too.

    Returns
    -------
    Cluster
        A context manager; `close` leaves a cluster that was running as it was.

    Raises
    ------
    MissingDependencyError
        When Ray is not installed.
    ClusterError
        When there is no cluster at the address, none that answers within 10 seconds, or one whose nodes have another
        version of Python or reluatlas.
    ArgumentError
        When the address or `workers` makes no sense.

    Guarantees
    ----------
    Counts, cells and their order are those of threads, bit for bit. A worker or a node that is lost costs time only.

    Cost
    ----
    Some seconds to start, and for the first run again; a run sends the network to each node once. Whoever reaches a
    cluster can run any code on it: see `docs/cluster.md`.

    References
    ----------
    [MoritzNishihara2018] for Ray.

    Examples
    --------
    >>> import reluatlas as ra
    >>> with ra.cluster("local") as machines:  # doctest: +SKIP
    ...     ra.count_cells(net, box, runner=machines)
    """
    if workers is not None and (isinstance(workers, bool) or workers != int(workers) or workers < 1):
        raise ArgumentError(f"`workers={workers!r}` must be a whole number of at least 1, or None for all processors.")
    checked = _checked(address)
    ray = _ray(checked)
    if ray.is_initialized():
        # one connection in a process: somebody's who knows what it is for
        if checked not in ("auto", _address(ray)):
            raise ClusterError(
                f"this process is connected to the Ray cluster at {_address(ray)} already, and cannot be to another. "
                'Close that first (`close`, or `ray.shutdown`), or pass "auto".'
            )
        joined = Cluster(ray, _address(ray), workers, is_ours=False, is_connection_ours=False)
    elif checked == "local":
        joined = _started(ray, workers)
    else:
        joined = _joined(ray, checked, workers)
    try:
        _require_same_versions(ray)
    except BaseException:
        joined.close()
        raise
    return joined


@contextmanager
def workers_of(runner: object) -> Iterator[Workers | None]:
    """Yield what makes runners, for a `runner=` of a verb; what had to be opened for it is closed afterwards.

    Raises
    ------
    ArgumentError
        When it is nothing that works.
    """
    if runner is None:
        yield None
    elif runner == "threads":
        yield Threads()
    elif runner == "inline":
        yield Inline()
    elif runner == "ray":
        with _any_cluster() as opened:
            yield opened
    elif isinstance(runner, Cluster):
        yield runner
    else:
        raise ArgumentError(
            f'`runner={runner!r}` is nobody who works. Pass "threads", "inline", "ray", or what `reluatlas.cluster` '
            "returns."
        )


def _any_cluster() -> Cluster:
    """Return the cluster that is running, or else one of this machine's processors."""
    try:
        return cluster("auto")
    except ClusterError as problem:
        if "no Ray cluster runs" not in str(problem):
            raise
        return cluster("local")


def _checked(address: object) -> str:
    if address in ("auto", "local"):
        return str(address)
    host, _, port = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    if not host or "/" in host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ArgumentError(
            f'`address={address!r}` must be "auto", "local", or HOST:PORT of a Ray head, such as 10.0.0.1:6379.'
        )
    return f"{host}:{port}"


def _ray(address: str) -> Any:
    """Import Ray, so that it tells nobody of its use, and of local ones only this machine."""
    given = _OURS | (_LOOPBACK if address == "local" and "ray" not in sys.modules else {})
    with _environment(given), _quiet():
        try:
            import ray
            import ray.exceptions
        except ImportError:
            raise MissingDependencyError(
                "a cluster needs Ray, which is not installed. Install it (`pip install reluatlas[cluster]`), or leave "
                "`runner` out."
            ) from None
    return ray


@contextmanager
def _environment(given: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in given}
    os.environ.update({name: value for name, value in given.items() if name not in os.environ})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let Ray's own warnings, of what it will change some day, be nobody's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _started(ray: Any, workers: int | None) -> Cluster:
    with _environment(_OURS | _LOCAL | _LOOPBACK), _quiet():
        try:
            ray.init(
                address="local", num_cpus=min(workers or available_cores(), available_cores()), num_gpus=0,
                include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
                object_store_memory=_LOCAL_STORE, _node_ip_address="127.0.0.1",
            )  # fmt: skip
        except Exception as problem:  # Ray raises no more special ones when its processes do not come up
            raise ClusterError(
                f"Ray does not start on this machine: {_line(problem)} On a busy machine try again; its logs are in "
                "/tmp/ray/session_latest/logs."
            ) from None
    return Cluster(ray, _address(ray), workers, is_ours=True, is_connection_ours=True)


def _joined(ray: Any, address: str, workers: int | None) -> Cluster:
    """Join a cluster that runs; the address is one that answered, so that Ray does not wait for it."""
    if address != "auto":
        _require_answer(address)
    here = "`auto` looks for one on this machine"
    failed: list[Exception] = []

    def join() -> None:
        try:
            with _environment(_OURS), _quiet():
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as problem:
            failed.append(problem)

    if address == "auto" and not _finds_one(ray):
        raise ClusterError(
            f'no Ray cluster runs here ({here}). Start one with `ray start --head`, or pass `address="local"`.'
        )
    join()
    if failed:
        raise ClusterError(
            f"cannot join the Ray cluster at {address}: {_line(failed[0])} This machine must be a node of the cluster "
            f"(`ray start --address={address if address != 'auto' else 'HOST:PORT'}`), with the same Python and Ray."
        )
    return Cluster(ray, _address(ray), workers, is_ours=False, is_connection_ours=True)


def _finds_one(ray: Any) -> bool:
    """Return whether Ray knows of a cluster of this machine."""
    if os.environ.get("RAY_ADDRESS"):
        return True
    from ray._private.services import find_gcs_addresses

    with _quiet():
        return bool(find_gcs_addresses())


def _require_answer(address: str) -> None:
    """Refuse an address where nothing listens, or what listens is no Ray head that answers."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S):
            pass
    except OSError as problem:
        raise ClusterError(
            f"no Ray cluster at {address} ({problem}). Pass HOST:PORT of its head, as `ray start --head` printed it."
        ) from None
    # in another process: Ray would wait for a minute, and then end this one; its own import is not in the time
    try:
        said = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _ASK, address, str(_ANSWER_S)],
            capture_output=True,
            timeout=_IMPORT_S,
        )
    except subprocess.TimeoutExpired:
        said = None
    if said is None or said.returncode:
        raise ClusterError(
            f"what listens at {address} does not answer as a Ray head does within {_ANSWER_S:g} s. Pass HOST:PORT of "
            "the head, as `ray start --head` printed it."
        )


def _address(ray: Any) -> str:
    return str(ray.get_runtime_context().gcs_address)


def versions() -> dict[str, str]:
    """Return what must be the same on the driver and on all workers."""
    return {
        "Python": platform.python_version(),
        "reluatlas": __version__,
        "the engine's kernels": jit.cache_folder().name,
        **{name: version_of(name) for name in ("numpy", "numba", "ray")},
    }


def _require_same_versions(ray: Any) -> None:
    """Refuse a cluster where another node has other versions than this process."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def there() -> Any:  # sent by value: reluatlas may be missing there
        try:
            from reluatlas.clusters.connect import versions

            return versions()
        except ImportError as problem:
            return f"reluatlas cannot be imported: {problem}"

    own = versions()
    ask = ray.remote(num_cpus=0)(there)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    refs = {
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(): node
        for node in nodes
    }
    came, _ = ray.wait(list(refs), num_returns=len(refs), timeout=6 * _ANSWER_S)
    for ref in refs:
        name = refs[ref]["NodeManagerAddress"]
        if ref not in came:
            raise ClusterError(f"node {name} of the cluster does not answer. Look at it with `ray status`.")
        try:
            theirs = ray.get(ref)
        except ray.exceptions.RayError as problem:
            raise ClusterError(f"node {name} of the cluster cannot work: {_line(problem)}") from None
        if isinstance(theirs, str):
            raise ClusterError(f"on node {name} of the cluster {theirs}. Install the same reluatlas on every node.")
        for what, value in own.items():
            if theirs[what] != value:
                raise ClusterError(
                    f"node {name} of the cluster has {what} {theirs[what]}, this process {value}. Install the same on "
                    "every node."
                )


def _line(problem: Exception) -> str:
    return shortly(str(problem) or type(problem).__name__) + "."
