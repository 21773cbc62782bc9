"""Runs on a cluster of three local nodes, in a process of its own: `python -m tests.on_cluster FOLDER`.

What came out is written to FOLDER/told.json, for the tests to judge; Ray stays out of their process. Every node has its
own home, its own folder for temporary files and its own cache. Kernels take minutes to compile: each cache is given
those of this process, which one test of an empty cache would repeat three times.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

import reluatlas as ra
from reluatlas.clusters import connect, team
from reluatlas.clusters.worker import Worker
from reluatlas.compiled.jit import cache_folder
from reluatlas.subdivision.local import localize
from reluatlas.subdivision.runner import threads
from reluatlas.testing import zoo
from tests.killed import network

BUDGET, COUNT_BUDGET, FIRST = 12, 15, 4
STORE = 100 << 20
LONG = "3-64-64-64-1", 4.0
"""Seconds of work, in which a worker and a node end."""
POISON = (1,)
TRIES = 4


def small(budget: int, count_budget: int, first: int) -> None:
    """Let items be small, here; a plan takes their size to the workers."""
    for module in (connect, threads):
        module.BUDGET, module.COUNT_BUDGET = budget, count_budget  # type: ignore[attr-defined]
    localize.FIRST_BUDGET = first  # type: ignore[attr-defined]


def problems() -> Iterator[tuple[str, ra.Network, Any]]:
    """Yield twenty networks and domains: all families of the zoo, boxes of one to four dimensions, a slice, a space."""
    for i, (name, make) in enumerate(list(zoo.FAMILIES.items())[:13]):
        yield name, make(i), zoo.domain_for(i)
    yield "one", network("1-20-20-1"), ra.Box(-2, 2, dim=1)
    yield "plane", network("2-24-24-2"), ra.Box(-3, 3, dim=2)
    yield "solid", network("3-12-12-2"), ra.Box(-2, 2, dim=3)
    yield "four", network("4-8-6-1"), ra.Box(-2, 2, dim=4)
    yield "space", network("2-12-8-1"), ra.Space(2)
    yield "space of three", network("3-8-6-1"), ra.Space(3)
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(6, 2)))[0].T
    yield "slice", network("6-24-24-3"), ra.Slice(rng.normal(size=6), basis, box=ra.Box(-3, 3, dim=2))


class PoisonedWorker(Worker):
    """Ends, with no chance to tidy up, whenever it comes to one item."""

    def take(self, plan: Any, number: int, run: int) -> str:
        name = super().take(plan, number, run)
        inner = self._bench.do

        def do(item: Any, stop: Any) -> Any:
            if item.id == POISON:
                os.kill(os.getpid(), signal.SIGKILL)
            return inner(item, stop)

        self._bench.do = do
        return name


class ForgetfulWorker(Worker):
    """Has no memory for one item."""

    def take(self, plan: Any, number: int, run: int) -> str:
        name = super().take(plan, number, run)
        inner = self._bench.do

        def do(item: Any, stop: Any) -> Any:
            if item.id == POISON:
                raise MemoryError("cannot allocate")
            return inner(item, stop)

        self._bench.do = do
        return name


@contextmanager
def nodes(folder: Path) -> Iterator[Any]:
    """Start three nodes of one processor, each with folders of its own; end all that they started."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        made = None
        for attempt in range(TRIES):
            try:
                made = _three(Cluster, folder / f"try{attempt}")
                break
            except (
                Exception
            ) as problem:  # Ray raises just that when an agent of a node needs over 15 s, on busy machines
                print(f"no cluster yet: {problem}", file=sys.stderr, flush=True)
        assert made is not None, f"no cluster of three nodes in {TRIES} tries"
        try:
            yield made
        finally:
            made.shutdown()


def _three(new: Callable[..., Any], folder: Path) -> Any:
    made = new(shutdown_at_exit=True)
    before = dict(os.environ)
    try:
        for i in range(3):
            os.environ.update(_own(folder / f"node{i}"))
            made.add_node(num_cpus=1, object_store_memory=STORE, include_dashboard=False, **_lean())
    except Exception:
        made.shutdown()
        for child in children_of(os.getpid()):  # what started before a node is known is nobody's
            os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.environ.clear()
        os.environ.update(before)
    return made


def _lean() -> dict[str, Any]:
    """Return what lets a node start with few processes, and without waiting for them: busy machines take too long."""
    ports = []
    with ExitStack() as stack:
        for _ in range(4):
            taken = stack.enter_context(socket.socket())
            taken.bind(("127.0.0.1", 0))
            ports.append(taken.getsockname()[1])
    names = ("runtime_env_agent_port", "metrics_agent_port", "dashboard_agent_listen_port", "metrics_export_port")
    return {"no_monitor": True, "include_log_monitor": False, **dict(zip(names, ports, strict=True))}


def _without_grammar(folder: Path) -> str:
    """Return a path for Python's modules that lacks one which compiles a grammar at import.

    Each of Ray's processes would do that, for seconds, where JSON schemas can check all formats; nodes then miss the 15
    seconds in which their agents must have started.
    """
    lean = folder / "lean"
    lean.mkdir(parents=True, exist_ok=True)
    (lean / "rfc3987_syntax.py").write_text("raise ImportError('left out: it takes seconds')\n")
    return os.pathsep.join([str(lean), *(p for p in sys.path if p)])


def _own(folder: Path) -> dict[str, str]:
    kernels = cache_folder()
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True)
    shutil.copytree(kernels, folder / "numba" / "reluatlas" / kernels.name)
    return {
        "PYTHONPATH": _without_grammar(folder),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_worker_niceness": "0",
    }


def children_of(process: int) -> dict[int, bytes]:
    """Return the command lines of the processes that one started."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == process:
                found[int(folder.name)] = (folder / "cmdline").read_bytes()
    return found


def workers_of(raylet: int) -> list[int]:
    """Return the processes that work for a run, of one node."""
    return [pid for pid, name in children_of(raylet).items() if b"Worker" in name]


def raylet_of(node: Any) -> int:
    """Return the process that is a node."""
    return node.all_processes["raylet"][0].process.pid


def once(share: float, do: Callable[[], None]) -> Callable[[str, int, float], None]:
    """Return a progress callback that does something once, when a share is done."""
    left = [do]

    def tell(what: str, n_cells: int, done: float) -> None:
        if left and share <= done < 1:
            left.pop()()

    return tell


def same_answers(machines: Any, folder: Path) -> list[dict[str, Any]]:
    """Return, for each problem, what threads and the cluster found."""
    small(BUDGET, COUNT_BUDGET, FIRST)
    told = []
    for name, net, domain in problems():
        files = []
        for who, runner in (("threads", None), ("cluster", machines)):
            files.append(folder / f"{who}.npz")
            cx = ra.enumerate_cells(net, domain, jobs=2 if runner is None else None, runner=runner)
            cx.save(files[-1])
        count, there = ra.count_cells(net, domain, jobs=2), ra.count_cells(net, domain, runner=machines)
        told.append({
            "name": name, "cells": cx.n_cells, "counts": [count.n_cells, there.n_cells],
            "volumes": [count.volume_done, there.volume_done], "complete": there.is_complete and cx.is_complete,
            "same_files": files[0].read_bytes() == files[1].read_bytes(),
        })  # fmt: skip
    return told


def same_maps(machines: Any) -> list[bool]:
    """Return whether the affine maps at points are those of this process, number for number."""
    net = network("6-24-24-3")
    X = np.random.default_rng(2).normal(size=(7000, 6))
    X[::7] = 0.0
    here, there = net.affine_at(X, dtype=np.float32), machines.affine_at(net, X, dtype=np.float32)
    same = [np.array_equal(getattr(here, name), getattr(there, name)) for name in ("A", "b", "is_on_face")]
    try:
        machines.affine_at(net, np.zeros((2, 5)))
    except ra.errors.DimensionError:
        same.append(True)
    return same


def losses(machines: Any, cluster: Any, folder: Path) -> dict[str, Any]:
    """Return what a count gives from which a worker is taken, and then one from which a node is."""
    small(300, 500, 64)
    shape, side = LONG
    net, box = network(shape), ra.Box(-side, side, dim=3)
    told: dict[str, Any] = {"whole": ra.count_cells(net, box, jobs=2).n_cells}
    killed: list[int] = []

    def kill() -> None:
        pids = [pid for node in cluster.list_all_nodes() for pid in workers_of(raylet_of(node))]
        killed.append(pids[0])
        os.kill(pids[0], signal.SIGKILL)

    checkpoint = folder / "run.sqlite"
    found = ra.count_cells(net, box, runner=machines, progress=once(0.1, kill), checkpoint=checkpoint)
    told["after a worker"] = [found.n_cells, found.is_complete, len(killed)]
    gone: list[str] = []

    def remove() -> None:
        node = next(iter(cluster.worker_nodes))
        gone.append(node.unique_id)
        cluster.remove_node(node, allow_graceful=False)

    found = ra.count_cells(net, box, runner=machines, progress=once(0.1, remove))
    told["after a node"] = [found.n_cells, found.is_complete, len(gone), len(cluster.worker_nodes)]
    half = folder / "half.sqlite"
    first = ra.count_cells(net, box, runner=machines, checkpoint=half, max_cells=100_000)
    found = ra.count_cells(net, box, jobs=2, checkpoint=half)
    told["goes on"] = [first.n_cells, found.n_cells, found.is_complete]
    begin = time.monotonic()
    found = ra.count_cells(network("3-96-96-96-1"), box, runner=machines, max_seconds=3)
    told["limit"] = [found.stopped_by, found.n_cells, found.volume_done / box.volume, time.monotonic() - begin]
    return told


def drive(address: str, file: str) -> None:
    """Count on a cluster with a checkpoint, and say how far it is; to be killed."""
    small(300, 500, 64)
    shape, side = LONG
    with ra.cluster(address) as machines:
        ra.count_cells(
            network(shape), ra.Box(-side, side, dim=3), runner=machines, checkpoint=file,
            progress=lambda what, n, share: print(share, flush=True),
        )  # fmt: skip


def driver_killed(address: str, folder: Path) -> list[Any]:
    """Kill a driver in the middle, and let another go on; return its count, and how many the first had kept."""
    from reluatlas.subdivision.runner.status import status_of

    file = folder / "driven.sqlite"
    command = [sys.executable, "-m", "tests.on_cluster", "--drive", address, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        for line in driver.stdout:
            if float(line) >= 0.1:
                driver.kill()
                break
    kept = status_of(file).n_cells
    shape, side = LONG
    small(300, 500, 64)
    with ra.cluster(address) as machines:
        found = ra.count_cells(network(shape), ra.Box(-side, side, dim=3), runner=machines, checkpoint=file)
    return [found.n_cells, found.is_complete, kept]


def faults(address: str) -> dict[str, Any]:
    """Return what is said of items that end their workers, or for which there is no memory."""
    from reluatlas.clusters.again import do_again

    small(60, 60, 16)
    net, box = network("2-24-24-2"), ra.Box(-3, 3, dim=2)
    told: dict[str, Any] = {}
    for kind in (PoisonedWorker, ForgetfulWorker):
        team.Worker = kind  # type: ignore[misc]
        try:
            with ra.cluster(address) as machines:
                ra.enumerate_cells(net, box, runner=machines)
        except ra.errors.ItemError as problem:
            done = do_again(problem.path)
            Path(problem.path).unlink()
            told[kind.__name__] = [str(problem), list(problem.item), list(done.item.id), done.answer.n_cells]
    team.Worker = Worker  # type: ignore[misc]
    return told


def main(folder: Path) -> None:
    """Do all of it, on one cluster, and write down each part when it is there."""
    told: dict[str, Any] = {}

    def tell(name: str, what: Any) -> None:
        told[name] = what
        (folder / "told.json").write_text(json.dumps(told))
        print(f"{time.monotonic() - begin:.0f} s: {name}", file=sys.stderr, flush=True)

    begin = time.monotonic()
    with nodes(folder) as cluster:
        tell("nodes", 3)
        with ra.cluster(cluster.address) as machines:
            tell("processors", machines.n_processors)
            tell("same", same_answers(machines, folder))
            tell("maps", same_maps(machines))
        tell("faults", faults(cluster.address))
        tell("driver killed", driver_killed(cluster.address, folder))
        with ra.cluster(cluster.address) as machines:
            tell("losses", losses(machines, cluster, folder))
        tell("left running", cluster.head_node.all_processes["gcs_server"][0].process.poll() is None)


if __name__ == "__main__":
    if sys.argv[1] == "--drive":
        drive(*sys.argv[2:])
    else:
        main(Path(sys.argv[1]))
