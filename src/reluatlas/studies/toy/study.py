"""How does a network cut the plane while it learns? The toy study, end to end.

A minimal network and a larger one are trained on a toy problem from several seeds; every batch is opened exactly;
the counts are held against the paper's sampling; the sets of affine maps are compared and reduced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reluatlas.analysis.maps.dual_points import dual_points
from reluatlas.analysis.trajectories.measure import in_threads
from reluatlas.analysis.trajectories.record import name_of
from reluatlas.datasets.toy import NAMES, symmetries, toy_problem
from reluatlas.errors import ArgumentError
from reluatlas.progress import Callback, Counted, Progress, Staged, tells, total_of
from reluatlas.studies.toy import words
from reluatlas.studies.toy.alike import compare_runs, reduction_curve
from reluatlas.studies.toy.cuts import compare_cuts
from reluatlas.studies.toy.folder import FilmKind, prepare_folder
from reluatlas.studies.toy.record import Sampling, ToyRun, ToyStudyRecord
from reluatlas.studies.toy.report import write_report
from reluatlas.studies.toy.sample import SampledCount, sample_regions
from reluatlas.studies.toy.train import Settings, check_toy_sizes, import_torch, train_toy

MINIMAL: dict[str, tuple[int, ...]] = {
    "circle": (2, 3, 2),
    "circles": (2, 12, 12, 2),
    "xor": (2, 2, 2),
    "xor-noisy": (2, 2, 2),
    "moons": (2, 4, 2),
    "spiral": (2, 6, 2),
}
"""The small network that stands beside the one asked for."""
EPOCHS = {"circles": 5}
"""Epochs where the paper's single one is not enough; all other settings are the paper's."""
LARGER = (2, 8, 8, 8, 2)
_SAMPLED_TIMES = 201


@dataclass(frozen=True, eq=False)
class ToyStudy(ToyStudyRecord):
    """What the toy study found.

    Attributes
    ----------
    problem : str
    shapes : tuple of tuple of int
        The minimal network first.
    runs : tuple of ToyRun
        By shape, then seed.
    sampling : tuple of Sampling
        Of the first seed of each shape.
    alike, alike_up_to_symmetry : Alike
    curves : dict of shape to list of float
        Accuracy with 1, 2, 3, ... maps, of the first seed.
    dual : dict of shape to DualPoints
        Of the first seed's last network.
    cuts, cuts_up_to_symmetry : dict of kind of pair to Cuts
        How alike the last networks cut the plane.
    """

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, ready for JSON."""
        return words.numbers(self)

    def summary(self) -> str:
        """Return the main numbers in words."""
        return words.summary(self)


@tells("", "stages")
def run_toy_study(
    problem: str = "circle",
    *,
    net: Sequence[int] = LARGER,
    seeds: int = 3,
    seed: int = 0,
    out: str | Path | None = None,
    film: FilmKind = "html",
    settings: Settings | None = None,
    n_train: int = 100_000,
    jobs: int | None = None,
    progress: Progress = None,
) -> ToyStudy:
    """Train, open and compare networks on a toy problem, and return what was found.

    Parameters
    ----------
    problem : {"circle", "circles", "xor", "xor-noisy", "moons", "spiral"}
    net : sequence of int
        Shape of the larger network; the problem's minimal one is trained beside it.
    seeds : int
        Number of networks of each shape.
    seed : int
        The first seed; the others follow it.
    out : path, optional
        Folder for the report, the figures, the films, the weights and the numbers; it is made if
        missing. Trajectories are written as soon as they are trained.
    film : {"html", "mp4", "gif", "none"}
    settings : Settings, optional
        The paper's when left out (five epochs for "circles").
    n_train : int
        Number of training points.
    jobs : int, optional
        Worker threads and processes; all cores when left out.
    progress : bool or callable(what, done, share), optional

    Raises
    ------
    ArgumentError, DimensionError
        When the problem, the shape or a number makes no sense.
    MissingDependencyError
        When torch is missing, or ffmpeg for an MP4.

    Guarantees
    ----------
    The same seeds give the same numbers on any number of jobs. A network that never reached the
    target is kept, with its best attempt, and `reached` is False.
    """
    if problem not in NAMES:
        names = ", ".join(f'"{n}"' for n in NAMES)
        raise ArgumentError(f"`problem={problem!r}` is no toy problem. Pass one of {names}.")
    if film not in ("html", "mp4", "gif", "none"):
        raise ArgumentError(f'`film={film!r}` is no kind of film. Pass "html", "mp4", "gif" or "none".')
    for name, value, least in (("seeds", seeds, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ArgumentError(f"`{name}={value!r}` must be a whole number of at least {least}.")
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int | np.integer) or jobs < 1):
        raise ArgumentError(f"`jobs={jobs!r}` must be a whole number of at least 1, or None for all cores.")
    shapes = tuple(dict.fromkeys([MINIMAL[problem], check_toy_sizes(net)]))
    settings = settings or Settings(epochs=EPOCHS.get(problem, 1))
    tell: Staged = progress or (lambda what, done, of: None)  # type: ignore[assignment]
    data = toy_problem(problem, n_train=n_train, seed=seed)  # type: ignore[arg-type]
    import_torch()
    folder = None if out is None else prepare_folder(out, problem, film)
    runs: list[ToyRun] = []
    for shape in shapes:
        for s in range(seed, seed + seeds):
            what = f"{name_of(shape)}, seed {s}"

            def step(attempt: int, done: int, of: int, what: str = what) -> None:
                tell(f"{what}: training, attempt {attempt}", done, of)

            training = train_toy(data, shape, seed=s, settings=settings, progress=step)
            if folder is not None:
                training.trajectory.save(folder / f"trajectory-{name_of(shape)}-seed{s}.npz")
            measures = training.trajectory.measure(jobs=jobs, progress=_shared(tell, f"{what}: opening every batch"))
            runs.append(ToyRun(training, measures))
    firsts = {name_of(shape): runs[i * seeds] for i, shape in enumerate(shapes)}
    sampling = [
        _sampling(run, jobs, _named(tell, f"{shape}: sampling as the paper does")) for shape, run in firsts.items()
    ]
    tell("comparing the affine maps", 0, 1)
    trajectories = [run.trajectory for run in runs]
    alike = compare_runs(trajectories, seed=seed)
    turned = compare_runs(trajectories, symmetries=symmetries(problem), seed=seed)
    dual = {shape: dual_points(run.trajectory.complex(-1)) for shape, run in firsts.items()}
    curves = {shape: reduction_curve(run.trajectory, dual[shape]) for shape, run in firsts.items()}
    tell("comparing the affine maps", 1, 1)
    tell("matching linear regions", 0, 1)
    cuts = compare_cuts(trajectories, jobs=jobs)
    turned_cuts = compare_cuts(trajectories, symmetries=symmetries(problem), jobs=jobs)
    tell("matching linear regions", 1, 1)
    study = ToyStudy(problem, shapes, tuple(runs), tuple(sampling), alike, turned, curves, dual, cuts, turned_cuts)
    if folder is not None:
        write_report(study, folder, film=film, jobs=jobs, progress=tell)
    return study


def _sampling(run: ToyRun, jobs: int | None, progress: Counted) -> Sampling:
    trajectory = run.trajectory
    n = min(_SAMPLED_TIMES, len(trajectory))
    times = np.unique(np.round(np.linspace(0, len(trajectory) - 1, n)).astype(np.int64))

    def at(t: int) -> SampledCount:
        return sample_regions(trajectory, t)

    found = in_threads(at, times.tolist(), jobs=jobs, progress=progress)
    return Sampling(
        shape=trajectory.name,
        steps=trajectory.steps[times],
        exact=run.measures.n_linear_regions[times],
        patterns=np.array([f.n_patterns for f in found]),
        rounded=np.array([f.n_rounded for f in found]),
    )


def _shared(tell: Staged, what: str) -> Callback:
    return lambda _, done, share: tell(what, done, total_of(done, share))


def _named(tell: Staged, what: str) -> Counted:
    return lambda done, of: tell(what, done, of)
