"""Which numbers did a run of the MNIST study write? Read from its files, put beside the paper's, written as tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from reluatlas.errors import ResultFileError
from reluatlas.storage.atomic import whole_file
from reluatlas.studies.mnist import published
from reluatlas.studies.mnist.folder import FORMAT, HEAD, VERSION
from reluatlas.studies.mnist.steps import read_json, seconds_of

BIASES = ("not mapped", "mapped")
R2_KINDS = ("r2", "r2_total", "r2_uncentered")
PER_NETWORK = ("networks", "regions", "reduction", "standalone")
Facts = dict[str, Any]


def numbers(folder: Path) -> Facts:
    """Return all numbers of a run: its head, and what each step wrote, by kind.

    Raises
    ------
    ResultFileError
        When the folder holds no run of this version, or a file is missing or damaged.
    """
    head = read_json(folder / HEAD)
    if not isinstance(head, dict) or head.get("format") != FORMAT or head.get("version") != VERSION:
        raise ResultFileError(f"`{folder / HEAD}` is no run of the MNIST study of version {VERSION}.")
    found: Facts = {"study": head}
    for kind in PER_NETWORK:
        found[kind] = [
            read_json(folder / kind / f"{name}-seed{seed}.json") for seed in head["seeds"] for name in head["networks"]
        ]
    seeds = head["seeds"] if len(head["networks"]) > 1 else []
    found["similarity"] = [read_json(folder / "similarity" / f"seed{seed}.json") for seed in seeds]
    taken = [folder / "maps-taken" / f"{name}-seed{seed}.json" for seed in head["seeds"] for name in head["networks"]]
    found["maps-taken"] = [read_json(path) for path in taken if path.exists()]  # runs of the first days have none
    matching = [folder / "matching" / f"seed{seed}.json" for seed in seeds]
    found["matching"] = [read_json(path) for path in matching if path.exists()]  # earlier runs have none
    found["seconds"] = seconds_of(folder)
    return found


def has_paper(found: Facts) -> bool:
    """Return whether the paper has numbers on this data set."""
    return found["study"]["data"] == "mnist" and not found["study"].get("is_trial")


def of_network(found: Facts, kind: str, name: str) -> list[Facts]:
    """Return what a kind of step wrote for a network, one entry a seed."""
    return [f for f in found[kind] if f["name"] == name]


def accuracies(found: Facts, name: str) -> list[float]:
    """Return a network's accuracies on the test images, in percent, one a seed."""
    return [100 * f["n_test_right"] / f["n_test"] for f in of_network(found, "networks", name)]


def fewer(found: Facts, name: str, k: int, init: str = "k-means++") -> list[float]:
    """Return the accuracies with k centers per class, in percent, one a seed; empty where that was not done."""
    return [
        100 * row["n_right"] / f["n_test"]
        for f in of_network(found, "reduction", name)
        for row in f["rows"]
        if row["k"] == k and row["init"] == init
    ]


def pairs(found: Facts, source: str, target: str, bias: str) -> list[Facts]:
    """Return what was found for maps of one network mapped to those of another, one entry a seed."""
    return [
        p for s in found["similarity"] for p in s["pairs"]
        if (p["from"], p["to"], p["bias"]) == (source, target, bias)
    ]  # fmt: skip


def matchings(found: Facts, source: str, target: str, bias: str) -> list[Facts]:
    """Return what was found for maps of one network matched with those of another, one entry a seed, in percent."""
    return [
        {
            "right": 100 * p["n_correct"] / s["n_images"],
            "chance": 100 * p["n_correct_chance"] / s["n_images"],
            "same_image": 100 * p["same_image"],
            "same_label": 100 * p["same_label"],
        }
        for s in found["matching"] for p in s["pairs"]
        if (p["from"], p["to"], p["bias"]) == (source, target, bias)
    ]  # fmt: skip


def mapped(found: Facts, source: str, target: str, bias: str) -> list[float]:
    """Return accuracies of mapped maps in percent, one a seed; of a network to itself its own."""
    if source == target:
        return accuracies(found, source)
    n = found["study"]["n_test"]
    return [100 * p["least_squares"]["n_correct"] / n for p in pairs(found, source, target, bias)]


def alone(found: Facts, name: str, k: int) -> list[Facts]:
    """Return what was found for models of k pieces that stand alone, one entry a seed."""
    return [row for f in of_network(found, "standalone", name) for row in f["rows"] if row["k"] == k]


def counts(found: Facts, kind: str) -> list[int]:
    """Return the numbers of centers ("reduction") or of pieces ("standalone") that were tried."""
    return sorted({row["k"] for f in found[kind] for row in f["rows"]})


def ms_per_image(part: Facts) -> float:
    """Return how long the affine maps of all classes take at one image, in milliseconds."""
    return 1000 * part["seconds"] / part["n_images"]


def percent(correct: int | None) -> float | None:
    """Return a number of the paper's in percent."""
    return None if correct is None else 100 * correct / published.N_TEST


def write_tables(folder: Path, found: Facts) -> list[Path]:
    """Write the tables of a run as CSV files; return their paths."""
    paper = has_paper(found)
    names, n_test = found["study"]["networks"], found["study"]["n_test"]

    def ours(values: Sequence[float], theirs: float | None) -> list[Any]:
        mean = fmean(values)
        known = theirs if paper else None
        return [f"{mean:.4f}", _blank(known, "{:.2f}"), "" if known is None else f"{mean - known:.4f}"]

    tables: dict[str, tuple[list[str], list[list[Any]]]] = {}
    beside = ["percent_right", "paper_percent_right", "difference_points"]
    tables["networks"] = (
        ["network", *beside, "seeds"],
        [
            [n, *ours(accuracies(found, n), percent(published.ACCURACY.get(n))), len(found["study"]["seeds"])]
            for n in names
        ],
    )
    columns = ["n_patterns", "n_maps", "n_near", "n_sharing", "largest_group", "n_train_patterns", "n_neurons"]
    tables["maps-taken"] = (
        ["network", "seed", "images", "seconds", "ms_per_image", "is_factored"],
        [
            [f["name"], f["seed"], part, f"{f[part]['seconds']:.3f}", f"{ms_per_image(f[part]):.4f}",
             f[part]["is_factored"]]
            for f in found["maps-taken"] for part in ("train", "test")
        ],
    )  # fmt: skip
    tables["regions"] = (
        ["network", "seed", *columns, "paper_n_near"],
        [
            [f["name"], f["seed"], *(f[c] for c in columns), published.MAPS_IN_USE.get(f["name"], "") if paper else ""]
            for f in found["regions"]
        ],
    )
    tables["similarity"] = (
        ["from", "to", "bias", *beside, "r2_mean", "r2_weighted_mean", "r2_uncentered_mean", "ridge_percent_right",
         "chance_percent_right", "cka_mean"],
        [
            [
                f, g, bias,
                *ours(mapped(found, f, g, bias), percent(published.similarity(f, g, bias))),
                *_more(pairs(found, f, g, bias), n_test),
            ]
            for bias in BIASES for f in names for g in names if f != g
        ],
    )  # fmt: skip
    measures = ("right", "chance", "same_image", "same_label")
    tables["matching"] = (
        ["from", "to", "bias", *(f"percent_{measure}" for measure in measures)],
        [
            [f, g, bias, *(f"{fmean(row[measure] for row in rows):.4f}" for measure in measures)]
            for bias in BIASES for f in names for g in names if (rows := matchings(found, f, g, bias))
        ],
    )  # fmt: skip
    tables["reduction"] = (
        ["network", "k", "init", *beside],
        [
            [n, k, init, *ours(fewer(found, n, k, init), percent(published.fewer(n, k)))]
            for n in names for k in counts(found, "reduction") for init in ("k-means++", "random")
            if fewer(found, n, k, init)
        ],
    )  # fmt: skip
    columns = ["n_pieces", "n_parameters", "n_right", "agreement", "largest_deviation", "mean_deviation"]
    tables["standalone"] = (
        ["network", "seed", "k", *columns],
        [
            [f["name"], f["seed"], row["k"], *(row[c] for c in columns)]
            for f in found["standalone"]
            for row in f["rows"]
        ],
    )
    paths = []
    for name, (head, rows) in tables.items():
        if rows:
            paths.append(folder / "tables" / f"{name}.csv")
            _write_csv(paths[-1], head, rows)
    return paths


def _more(found: list[Facts], n_test: int) -> list[str]:
    ridge = [100 * p["ridge"]["n_correct"] / n_test for p in found if p["ridge"]]
    r2 = [r2_of(found, which) for which in R2_KINDS]
    chance = [100 * p["chance"]["any"]["n_correct"] / n_test for p in found if "any" in p["chance"]]
    return [_blank(mean_of(v), "{:.4f}") for v in (*r2, ridge, chance, cka_of(found))]


def r2_of(found: list[Facts], which: str = "r2") -> list[float]:
    """Return the R^2 of all classes and seeds.

    "r2": coordinates alike; "r2_total": weighted by their variance; "r2_uncentered": no means taken off.
    """
    return [v for p in found for v in p["least_squares"].get(which, []) if v is not None]


def cka_of(found: list[Facts]) -> list[float]:
    """Return the alignment of all classes and seeds."""
    return [v for p in found for v in p["cka"] if v is not None and v == v]


def mean_of(values: Iterable[float]) -> float | None:
    """Return the mean; None of nothing."""
    known = list(values)
    return fmean(known) if known else None


def _blank(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _write_csv(path: Path, head: list[str], rows: list[list[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)


def summary(folder: Path) -> str:
    """Return the main numbers of a run in words."""
    found = numbers(folder)
    head = found["study"]
    first = f"{head['data']}: {head['n_train']:,} training and {head['n_test']:,} test images."
    return "\n".join([first, *main_numbers(found)])


def main_numbers(found: Facts) -> list[str]:
    """Return the main numbers of each network in words."""
    head, lines = found["study"], []
    for name in head["networks"]:
        right = ", ".join(f"{a:.2f} %" for a in accuracies(found, name))
        maps = ", ".join(f"{f['n_maps'] or f['n_near']:,}" for f in of_network(found, "regions", name))
        less = [f"{k:,} per class {mean_of(fewer(found, name, k)):.2f} %" for k in counts(found, "reduction")]
        line = f"{head['titles'][name]}: {right} right; {maps} maps at the test images; with centers: {', '.join(less)}"
        best = [(k, alone(found, name, k)) for k in counts(found, "standalone") if k in (10, 100)]
        if best:
            told = (
                f"{k} pieces {mean_of(100 * r['n_right'] / head['n_test'] for r in rows):.2f} %" for k, rows in best
            )
            line += f"; standing alone: {', '.join(told)}"
        lines.append(line + ".")
    return lines
