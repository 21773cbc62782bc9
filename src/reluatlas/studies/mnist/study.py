"""What do networks that read digits carry as functions? The MNIST study, end to end, in steps that are done once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from reluatlas._version import __version__
from reluatlas.datasets.mnist import NAMES, Images, cache_folder, load_images
from reluatlas.errors import ArgumentError
from reluatlas.progress import Progress, Staged, tells
from reluatlas.studies.mnist import compare, measure
from reluatlas.studies.mnist.folder import FORMAT, HEAD, VERSION, prepare_folder
from reluatlas.studies.mnist.map_files import MapFiles
from reluatlas.studies.mnist.networks import DEFAULT, RECIPES, Recipe, describe, import_torch, recipe
from reluatlas.studies.mnist.report import draw_report
from reluatlas.studies.mnist.steps import TRAINING, Step, is_done, record_step, run_steps, write_json
from reluatlas.studies.mnist.train import Trained, trained_before
from reluatlas.studies.mnist.train_all import train_all


@dataclass(frozen=True)
class MnistStudy:
    """A finished study in a folder.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, as the run wrote them."""
        from reluatlas.studies.mnist.tables import numbers

        return numbers(self.folder)

    def summary(self) -> str:
        """Return the main numbers in words."""
        from reluatlas.studies.mnist.tables import summary

        return summary(self.folder)


@tells("", "stages")
def run_mnist_study(
    data: str = "digits",
    out: str | Path = "reluatlas-mnist",
    *,
    networks: Sequence[str] = DEFAULT,
    seeds: int = 1,
    seed: int = 0,
    data_dir: str | Path | None = None,
    device: str | None = None,
    cache: str | Path | None = None,
    images: int | None = None,
    epochs: int | None = None,
    keep_maps: bool = False,
    jobs: int | None = None,
    progress: Progress = None,
) -> MnistStudy:
    """Train networks, open them at every image, compare and reduce them, and write a report.

    Parameters
    ----------
    data : {"digits", "mnist", "fashion-mnist"}
    out : path
        Folder for all files of the run; made if missing. A run that was stopped is taken up there.
    networks : sequence of str
        Of "dense", "conv1", "conv2", "small-inception", "small-resnet", "inception", "resnet".
    seeds, seed : int
        Networks from each of so many seeds, the first of which is `seed`; those of one seed are compared.
    data_dir : path, optional
        See `reluatlas.datasets.mnist.load_images`.
    device : str, optional
        Where torch trains and where maps are computed; the CPU when left out, on which "inception" and "resnet" are
        then refused, unless for a trial.
    cache : path, optional
        Folder for trained networks; RELUATLAS_CACHE or the user's cache when left out.
    images, epochs : int, optional
        For a trial: only so many training images and a sixth as many test images (`Images.few`), and so many epochs in
        place of the recipes'. The report says that it was one, and leaves the paper's numbers out.
    keep_maps : bool
        Whether to keep the files with the affine maps of all images, which are large.
    jobs : int, optional
        Worker threads and processes; all cores when left out.
    progress : bool or callable(what, done, share), optional

    Raises
    ------
    ArgumentError
        When an argument makes no sense, the folder is of others, or the disk has too little space for the maps.
    DataFileError
        When the files of the data set are missing or damaged.
    MissingDependencyError
        When torch or safetensors is missing.

    Guarantees
    ----------
    The same numbers for the same seeds on the CPU of one machine, apart from the last digits that depend on the number
    of threads of BLAS. A step whose files are there is not done again; the report is drawn from the files alone.
    """
    tell: Staged = progress or (lambda what, done, of: None)  # type: ignore[assignment]
    names, numbers = _checked(data, networks, seeds, seed, jobs, epochs)
    if device is None and images is None:
        _refuse_large(names)
    where = device or "cpu"
    read = load_images(data, data_dir=data_dir)  # type: ignore[arg-type]
    read = read if images is None else read.few(images)
    import_torch()
    recipes = [recipe(name, data) for name in names]
    recipes = [r if epochs is None else replace(r, epochs=epochs) for r in recipes]
    head = {
        "reluatlas": __version__, "data": data, "data_digest": read.digest, "side": read.side,
        "n_train": len(read.X_train), "n_test": len(read.y_test), "networks": list(names), "seeds": numbers,
        "is_trial": images is not None or epochs is not None,
        "titles": {r.name: r.title for r in recipes},
        "architectures": {r.name: describe(r.kind, read.side) for r in recipes},
        "recipes": {r.name: r.settings for r in recipes}, "device": where, "machine": _machine(jobs),
    }  # fmt: skip
    folder = prepare_folder(out, head)
    store = (cache_folder() if cache is None else Path(cache)) / "networks"
    wanted = [(r, s) for s in numbers for r in recipes]
    trained = _trained(folder, wanted, read, store, where, jobs, tell)
    maps = MapFiles(folder, read, jobs=jobs, device=where)
    for s in numbers:
        group = [t for t in trained if t.seed == s]
        steps = _steps(folder, group, read, maps, jobs)
        open_steps = [step for step in steps if not is_done(folder, step)]
        if open_steps:
            need = maps.check_space(group)
            tell(f"seed {s}: affine maps need {need / 1e9:.2f} GB in {folder / 'maps'}", 0, 1)
            run_steps(folder, steps, tell)
        if not keep_maps:
            for t in group:
                maps.drop(t)
    tell("drawing the report", 0, 1)
    write_json(folder / HEAD, {"format": FORMAT, "version": VERSION, "is_complete": True, **head})
    draw_report(folder)
    return MnistStudy(folder)


def _steps(folder: Path, group: list[Trained], data: Images, maps: MapFiles, jobs: int | None) -> list[Step]:
    """Return the steps for the networks of one seed."""
    seed = group[0].seed
    steps = []
    for t in group:
        name = f"{t.recipe.name}-seed{seed}"
        base = {"network": t.path.stem, "side": data.side}

        def add(
            kind: str, ending: str, settings: dict[str, Any], work: Any, name: str = name, base: Any = base
        ) -> None:
            file = f"{kind}/{name}.{ending}"
            steps.append(
                Step(
                    f"{kind}/{name}",
                    {"step": kind, **base, **settings},
                    (file,),
                    lambda tell: work(folder / file, tell),
                )
            )

        add("networks", "json", {"version": 2}, lambda p, tell, t=t: write_json(p, measure.network_facts(t)))
        add("maps-taken", "json", {"version": 1}, lambda p, tell, t=t: measure.take_maps(t, data, maps, p, tell))
        add("regions", "json", {"version": 1, "tolerance": measure.TOLERANCE},
            lambda p, tell, t=t: measure.count_maps(t, maps, p, tell))  # fmt: skip
        add("images", "npz", {"version": 1}, lambda p, tell, t=t: measure.keep_images(t, data, maps, p, tell))
        add("reduction", "json", {"version": 1, "k": compare.counts_for(data)},
            lambda p, tell, t=t: compare.reduce_maps(t, data, maps, p, jobs, tell))  # fmt: skip
        add("standalone", "json",
            {"version": 1, "k": compare.pieces_for(data), "copies": compare.COPIES, **compare.fit_settings(data)},
            lambda p, tell, t=t: compare.stand_alone_models(
                t, data, maps, p, folder / "models", jobs, tell))  # fmt: skip
    if len(group) > 1:
        file = f"similarity/seed{seed}.json"
        settings = {"step": "similarity", "version": 2, "networks": [t.path.stem for t in group]}
        steps.append(
            Step(f"similarity/seed{seed}", settings, (file,),
                 lambda tell: compare.compare_networks(group, data, maps, folder / file, seed, jobs, tell))
        )  # fmt: skip
        matching = f"matching/seed{seed}.json"
        settings = {"step": "matching", "version": 1, "n": compare.MATCHED, "networks": [t.path.stem for t in group]}
        steps.append(
            Step(f"matching/seed{seed}", settings, (matching,),
                 lambda tell: compare.match_networks(group, data, maps, folder / matching, seed, tell))
        )  # fmt: skip
    return steps


def _trained(
    folder: Path,
    wanted: list[tuple[Recipe, int]],
    data: Images,
    store: Path,
    device: str,
    jobs: int | None,
    tell: Staged,
) -> list[Trained]:
    """Return the networks, trained where they are not in the cache; write how long that took, all together."""
    missing = [
        f"{r.name}-seed{s}" for r, s in wanted if trained_before(r, data, seed=s, folder=store, device=device) is None
    ]
    start = time.monotonic()
    trained = train_all(wanted, data, folder=store, device=device, jobs=jobs, tell=tell)
    if missing:
        record = {"step": TRAINING, "networks": missing, "seconds": time.monotonic() - start}
        record_step(folder, TRAINING, record)
    return trained


def _checked(
    data: str, networks: Sequence[str], seeds: int, seed: int, jobs: int | None, epochs: int | None
) -> tuple[tuple[str, ...], list[int]]:
    if data not in NAMES:
        raise ArgumentError(f"`data={data!r}` is no data set. Pass one of {', '.join(NAMES)}.")
    names = tuple(dict.fromkeys(networks))
    if not names:
        raise ArgumentError("`networks` is empty. Pass one or more names.")
    for name in names:
        recipe(name, data)
    optional = [(what, value, 1) for what, value in (("jobs", jobs), ("epochs", epochs)) if value is not None]
    for what, value, least in (("seeds", seeds, 1), ("seed", seed, 0), *optional):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ArgumentError(f"`{what}={value!r}` must be a whole number of at least {least}.")
    return names, list(range(int(seed), int(seed) + int(seeds)))


def _refuse_large(names: Sequence[str]) -> None:
    large = next((name for name in names if RECIPES[name].is_large), None)
    if large is not None:
        raise ArgumentError(
            f"`networks={large!r}` is full size and wants a GPU. Pass `device='cuda'`; or small-{large}, which a CPU "
            "trains in minutes; or `images=` for a trial; `device='cpu'` trains it here all the same."
        )


def _machine(jobs: int | None) -> dict[str, Any]:
    import platform
    from importlib import metadata

    from reluatlas.network.batches import available_cores

    versions = {p: metadata.version(p) for p in ("numpy", "numba", "scikit-learn", "torch")}
    return {
        "processor": _processor(), "cores": jobs or available_cores(), "python": platform.python_version(), **versions
    }  # fmt: skip


def _processor() -> str:
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
