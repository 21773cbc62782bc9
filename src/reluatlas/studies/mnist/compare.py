"""How alike are the networks, and how few pieces are enough? Similarity, reduction, and models that stand alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reluatlas.affine import AffineMaps
from reluatlas.analysis.similarity.answer import Bias
from reluatlas.datasets.mnist import Images
from reluatlas.network.batches import available_cores
from reluatlas.progress import Staged, total_of
from reluatlas.studies.mnist.map_files import MapFiles
from reluatlas.studies.mnist.steps import write_json
from reluatlas.studies.mnist.train import Trained

if TYPE_CHECKING:
    from reluatlas.analysis.reduction.pieces.sample import OutputSample

COUNTS = (1, 10, 100, 1000, 10000)
"""Centers per class, as in the paper."""
RANDOM_COUNTS = (10, 100, 1000)
"""Centers per class for which random starts are tried beside k-means++."""
PIECES = (1, 2, 5, 10, 20, 50, 100, 200)
"""Pieces of the models that stand alone."""
MATCHED = 2_000
"""Test images whose maps are matched one to one."""
BIASES: tuple[Bias, ...] = ("not mapped", "mapped")
COPIES = 4
DIGITS_EPOCHS = 40
"""Epochs of the models that stand alone on scikit-learn's digits, half of the default: a run takes a minute there."""
_MEMORY = 2 * 2**30
_WORTH_A_PROCESS = 10_000  # training images; with fewer, processes take longer to start than models to fit


def compare_networks(
    networks: Sequence[Trained], data: Images, maps: MapFiles, target: Path, seed: int, jobs: int | None, tell: Staged
) -> None:
    """Write how well the affine maps of each network turn into those of each other one."""
    from reluatlas.analysis.similarity.compare_maps import similarity_table

    sources: Any = {t.recipe.name: (maps.maps(t, "train", tell), maps.maps(t, "test", tell)) for t in networks}
    table = similarity_table(
        sources, maps.inputs("train"), maps.inputs("test"), y_fit=data.y_train, y_test=data.y_test,
        bias=("mapped", "not mapped"), chance=("any", "label"), seed=seed, memory=_MEMORY, jobs=jobs,
        progress=lambda what, done, share: tell(f"similarity, seed {seed}: {what}", done, total_of(done, share)),
    )  # fmt: skip
    own = dict(zip(table.names, table.own_accuracy.tolist(), strict=True))
    pairs = []
    for (f, g, bias), s in table.pairs.items():
        rank = s.by_rank
        pairs.append({
            "from": f, "to": g, "bias": bias, "cka": s.cka.tolist(), "predictions_agree": s.predictions_agree,
            "ranks": s.ranks.tolist(), "penalties": s.penalties.tolist(),
            "least_squares": _score(s.least_squares), "ridge": None if s.ridge is None else _score(s.ridge),
            "chance": {kind: _score(c) for kind, c in s.chance.items()},
            "by_rank": None if rank is None else {
                "ranks": rank.ranks.tolist(), "accuracy": rank.accuracy.tolist(), "agreement": rank.agreement.tolist(),
            },
        })  # fmt: skip
    write_json(
        target, {"seed": seed, "n_test": len(data.y_test), "names": list(table.names), "own": own, "pairs": pairs}
    )


def match_networks(
    networks: Sequence[Trained], data: Images, maps: MapFiles, target: Path, seed: int, tell: Staged
) -> None:
    """Write how well the affine maps of each two networks match one to one, where nothing says which belong together.

    At the first `MATCHED` test images: an assignment of all 10,000 takes 800 MB and minutes, for each class.
    """
    from reluatlas.analysis.similarity.matching import match_maps, reversed_match, scored

    n = min(MATCHED, len(data.y_test))
    X, y = maps.inputs("test")[:n], data.y_test[:n]
    first = {}
    for t in networks:
        found = maps.maps(t, "test", tell)
        first[t.recipe.name] = AffineMaps(np.array(found.A[:n]), np.array(found.b[:n]))
    names, pairs, rng = list(first), [], np.random.default_rng([seed, n])
    wanted: list[tuple[str, str, Bias]] = [
        (f, g, bias) for i, f in enumerate(names) for g in names[i + 1 :] for bias in BIASES
    ]
    for done, (f, g, bias) in enumerate(wanted):
        tell(f"matching maps, seed {seed}", done, len(wanted))
        there = match_maps(first[f], first[g], X, bias=bias)
        back = reversed_match(first[f], first[g], X, there, bias=bias)
        for source, goal, match in ((f, g, there), (g, f, back)):
            drawn = scored(first[goal], X, rng.permuted(match.partner, axis=1), bias=bias)
            pairs.append({
                "from": source, "to": goal, "bias": bias, "n_correct": int((match.predicted == y).sum()),
                "n_correct_chance": int((drawn == y).sum()), "same_image": match.same_point,
                "same_label": float((y[match.partner] == y).mean()), "distance": match.distance.tolist(),
                "paired_distance": match.paired_distance.tolist(),
            })  # fmt: skip
    own = {name: int((scored(found, X, None, bias="mapped") == y).sum()) for name, found in first.items()}
    write_json(target, {"seed": seed, "n_images": n, "names": names, "own": own, "pairs": pairs})


def _score(score: Any) -> dict[str, Any]:
    return {
        "n_correct": int(score.n_correct), "agreement": float(score.agreement), "r2": _plain(score.r2),
        "r2_total": _plain(score.r2_total), "r2_uncentered": _plain(score.r2_uncentered),
    }  # fmt: skip


def _plain(values: Any) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


def counts_for(data: Images) -> tuple[int, ...]:
    """Return the numbers of centers that are tried: at least six training images for each."""
    return tuple(k for k in COUNTS if 6 * k <= len(data.X_train))


def reduce_maps(trained: Trained, data: Images, maps: MapFiles, target: Path, jobs: int | None, tell: Staged) -> None:
    """Write how good the network is when each of its maps is replaced by the nearest of k centers."""
    from reluatlas.analysis.reduction.reduce import reduce

    at_train, at_test = maps.maps(trained, "train", tell), maps.maps(trained, "test", tell)
    title = f"{trained.recipe.title}, seed {trained.seed}"
    counts = counts_for(data)
    rows = []
    starts: list[tuple[Any, tuple[int, ...]]] = [
        ("k-means++", counts),
        ("random", tuple(k for k in RANDOM_COUNTS if k in counts)),
    ]
    for init, wanted in starts:
        if not wanted:
            continue
        models = reduce(
            maps.network(trained), maps.inputs("train"), list(wanted), maps=at_train, init=init, seed=trained.seed,
            jobs=jobs,
            progress=lambda what, done, share: tell(f"{title}: fewer maps: {what}", done, total_of(done, share)),
        )  # fmt: skip
        for k, model in zip(wanted, models, strict=True):
            right = int((model.predict(maps.inputs("test"), maps=at_test, jobs=jobs) == data.y_test).sum())
            lost = [float(basis.lost) for basis in model.bases]
            rows.append({
                "k": k, "init": init, "n_right": right, "largest_share_lost": max(lost),
                "dimensions": [int(c.shape[1]) for c in model.coordinates],
            })  # fmt: skip
    write_json(
        target,
        {
            "name": trained.recipe.name, "title": trained.recipe.title, "seed": trained.seed,
            "n_test": len(data.y_test), "n_test_right": trained.info["n_test_right"], "rows": rows,
        },
    )  # fmt: skip


def pieces_for(data: Images) -> tuple[int, ...]:
    """Return the numbers of pieces that are tried: at least 50 training images for each."""
    return tuple(k for k in PIECES if 50 * k <= len(data.X_train))


def fit_settings(data: Images) -> dict[str, Any]:
    """Return what is not left at its default when models that stand alone are fitted."""
    return {"epochs": DIGITS_EPOCHS} if data.name == "digits" else {}


def _fit_alone(k: int, path: Path, settings: dict[str, Any], sample: OutputSample) -> None:
    from reluatlas.analysis.reduction.pieces.estimators import PiecewiseAffineClassifier

    PiecewiseAffineClassifier(k, **settings).fit_outputs(sample).save(path)


def stand_alone_models(
    trained: Trained, data: Images, maps: MapFiles, target: Path, folder: Path, jobs: int | None, tell: Staged
) -> None:
    """Write models of k affine pieces that need no network, and how good and how near to the network they are.

    All are fitted to the training images; the test images are opened once, with the models that the files hold.
    """
    from reluatlas.analysis.reduction.pieces.estimators import PiecewiseAffineClassifier
    from reluatlas.analysis.reduction.pieces.images import shifted
    from reluatlas.analysis.reduction.pieces.sample import sample_outputs
    from reluatlas.analysis.reduction.pieces.stand_alone import compare_outputs

    title = f"{trained.recipe.title}, seed {trained.seed}: standing alone"
    X = maps.inputs("train")
    sample = sample_outputs(
        maps.outputs(trained), X, copies=COPIES, change=shifted(float(X.min())), random_state=trained.seed,
        progress=lambda done, of: tell(f"{title}: the network's outputs", done, of),
    )  # fmt: skip
    counts = pieces_for(data)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{trained.recipe.name}-seed{trained.seed}-{k}.npz" for k in counts]
    settings = {"random_state": trained.seed, **fit_settings(data)}
    tasks = sorted(zip(counts, paths, strict=True), reverse=True)  # the long ones first
    tell(title, 0, len(counts))
    n_jobs = min(jobs or available_cores(), len(counts))
    if n_jobs == 1 or len(X) < _WORTH_A_PROCESS:
        done: Iterable[None] = (_fit_alone(k, path, settings, sample) for k, path in tasks)
    else:
        from joblib import Parallel, delayed, parallel_config

        with parallel_config("loky", inner_max_num_threads=1):
            work = Parallel(n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch="n_jobs")
            done = work(delayed(_fit_alone)(k, path, settings, sample) for k, path in tasks)
    for i, _ in enumerate(done):
        tell(title, i + 1, len(counts))
    X_test = maps.inputs("test").reshape(len(data.y_test), -1)
    outputs = maps.outputs(trained)(maps.inputs("test"))
    rows = []
    for k, path in zip(counts, paths, strict=True):
        model = PiecewiseAffineClassifier.load(path)
        near = compare_outputs(model.outputs(X_test), outputs)
        rows.append({
            "k": k, "n_pieces": int(model.n_pieces_), "n_parameters": int(model.pieces_.n_parameters),
            "n_right": int((model.predict(X_test) == data.y_test).sum()), "agreement": near.agreement,
            "largest_deviation": near.largest, "mean_deviation": near.mean, "file": path.name,
        })  # fmt: skip
    epochs = PiecewiseAffineClassifier(**settings).epochs
    write_json(
        target,
        {
            "name": trained.recipe.name, "title": trained.recipe.title, "seed": trained.seed,
            "n_test": len(data.y_test), "n_test_right": trained.info["n_test_right"],
            "n_parameters": trained.info["n_parameters"], "copies": COPIES, "epochs": epochs, "rows": rows,
        },
    )  # fmt: skip
