"""How are several networks trained at once? One process and one thread for each, on as many cores as there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

from reluatlas.datasets.mnist import Images
from reluatlas.network.batches import available_cores
from reluatlas.progress import Staged
from reluatlas.studies.mnist.networks import Recipe, import_torch
from reluatlas.studies.mnist.train import Trained, epochs_done, train, trained_before

_LOOK_S = 1.0
_WORTH_A_PROCESS = 1e8
"""Pixels seen in all epochs above which training takes longer than to start processes, each of which imports torch."""


def train_all(
    wanted: Sequence[tuple[Recipe, int]], data: Images, *, folder: Path, device: str, jobs: int | None, tell: Staged
) -> list[Trained]:
    """Return the networks trained by recipes from seeds, in order.

    Those in the cache are taken from there. The others are trained, on the CPU in one process each; on another device,
    or where it is a matter of seconds, one after the other.

    Guarantees: the same weights for any number of jobs; a stop loses at most an epoch of each.
    """
    import_torch()
    missing = [(r, s) for r, s in wanted if trained_before(r, data, seed=s, folder=folder, device=device) is None]
    n_jobs = min(jobs or available_cores(), len(missing))
    pixels = sum(r.epochs for r, _ in missing) * data.X_train.size
    if n_jobs > 1 and device == "cpu" and pixels > _WORTH_A_PROCESS:
        missing.sort(key=lambda pair: pair[0].kind == "dense")  # the long ones first
        _in_processes(missing, data, folder, n_jobs, tell)
    done = []
    for recipe, seed in wanted:
        what = f"{recipe.title}, seed {seed}: training"
        done.append(
            train(recipe, data, seed=seed, folder=folder, device=device, progress=lambda d, n, w=what: tell(w, d, n))
        )
    return done


def _in_processes(missing: Sequence[tuple[Recipe, int]], data: Images, folder: Path, n_jobs: int, tell: Staged) -> None:
    from joblib import Parallel, delayed, parallel_config

    names = ", ".join(f"{r.title} (seed {s})" for r, s in missing)
    total = sum(r.epochs for r, _ in missing)
    stop = Event()

    def watch() -> None:
        while not stop.wait(_LOOK_S):
            tell(
                f"training {names}, epochs", sum(epochs_done(r, data, seed=s, folder=folder) for r, s in missing), total
            )

    watcher = Thread(target=watch, daemon=True)
    tell(f"training {names}, epochs", 0, total)
    watcher.start()
    try:
        with parallel_config("loky", inner_max_num_threads=1):
            Parallel(n_jobs=n_jobs, pre_dispatch="n_jobs")(
                delayed(train)(recipe, data, seed=seed, folder=folder) for recipe, seed in missing
            )
    finally:
        stop.set()
        watcher.join()
