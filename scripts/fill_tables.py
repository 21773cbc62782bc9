"""Write the tables of README.md, of pages in docs and of benchmarks/README.md from the records of the benchmarks.

    python scripts/fill_tables.py

A table stands between `<!-- table NAME -->` and `<!-- end -->`; NAME is that of a file in benchmarks/records. Where
there is no such record, the page says so.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "docs/exactness.md", "docs/joining.md", "docs/mnist.md", "benchmarks/README.md")
_TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
Record = dict[str, Any]


def _lines(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in (head, rule, *rows))


def _made(record: Record) -> str:
    versions = f"Python {record['python']}, numpy {record['numpy']}"
    versions += f", numba {record['numba']}" if "numba" in record else ""
    machine = f"{record.get('processor') or record.get('machine')}, {record['cores']} cores"
    commit = f", commit {record['commit']}" if record.get("commit") else ""
    return f"\n{machine}; {versions}{commit}.\n"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 9.95 else f"{value:.0f}"


def _megabytes(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f} MB"


def real_models(record: Record) -> str:
    """Return the table of what fits."""
    head = ["model", "inputs", "neurons (windows)", "plane through", "cells", "regions", "open signs"]
    head += ["count, s", "enumerate, s", "memory: count", "enumerate"]
    rows = []
    for row in record["rows"]:
        part = "" if row["share_of_sides"] == 1 else f", {row['share_of_sides']:g} of its sides"
        so_far = "" if row["is_complete"] else f" so far, {100 * row['share_done']:.2g} % of the area: **incomplete**"
        windows = f" ({row['n_windows']:,})" if row["n_windows"] else ""
        regions = f"{row['n_linear_regions']:,}" if "n_linear_regions" in row else ""
        rows.append([
            f"`{row['model']}`", f"{row['n_inputs']:,}", f"{row['n_neurons']:,}{windows}", row["through"] + part,
            f"{row['n_cells']:,}{so_far}", regions, f"{row['n_escalated']:,}",
            _seconds(row["count_s"]), _seconds(row.get("enumerate_s")),
            _megabytes(row["count_mb"]), _megabytes(row.get("enumerate_mb")),
        ])  # fmt: skip
    return _lines(head, rows) + _made(record)


def degenerate(record: Record) -> str:
    """Return the table of what doubt costs."""
    head = ["family", "cells of a network (mean)", "share of visits escalated", "open signs per cell"]
    head += ["count: µs per cell", "× generic", "enumerate: µs per cell", "× generic"]
    rows = [
        [
            row["family"], f"{sum(row['n_cells']) / len(row['n_cells']):,.0f}", f"{100 * row['share_escalated']:.2g} %",
            f"{row['escalated_per_cell']:.2g}", f"{row['count_us_per_cell']:.1f}", f"{row['count_ratio']:.1f}",
            f"{row['enumerate_us_per_cell']:.1f}", f"{row['enumerate_ratio']:.1f}",
        ]
        for row in record["rows"]
    ]  # fmt: skip
    return _lines(head, rows) + _made(record)


def families(record: Record) -> str:
    """Return the table of answers about hard small networks: right, wrong, refused."""
    head = ["family", "networks", "answers", "wrong", "other exceptions", "networks refused in part", "seconds"]
    counts = ("networks", "answers", "wrong", "foreign", "networks_refused")
    rows = [*record["rows"], {"family": "all", **{c: sum(r[c] for r in record["rows"]) for c in (*counts, "seconds")}}]
    cells = [[row["family"], *(f"{row[c]:,}" for c in counts), f"{row['seconds']:,.0f}"] for row in rows]
    return _lines(head, cells) + _made(record)


def plane(record: Record) -> str:
    """Return the table of counting and enumerating against NumPy's forward pass."""
    head = ["network", "cells", "(a) count, ms", "(b) enumerate, ms", "(c) forward, ms", "(a)/(c)", "(b)/(c)"]
    head += ["2 jobs: count", "2 jobs: enumerate"]
    rows = []
    for row in record["rows"]:
        times = [row["median_s"]["count"], row["median_s"]["enumerate"], row["forward_s"]]
        rows.append([
            row["network"], f"{row['n_cells']:,}", *(f"{1e3 * t:.1f}" for t in times),
            f"{row['count_ratio']:.2f}", f"{row['enumerate_ratio']:.2f}",
            f"{row['count_speedup_2_jobs']:.2f} x", f"{row['enumerate_speedup_2_jobs']:.2f} x",
        ])  # fmt: skip
    return _lines(head, rows) + _made(record)


def certificates(record: Record) -> str:
    """Return the table of what the check of a count costs."""
    head = ["network", "cells", "signs in whole numbers", "file, KB", "(a) count, ms", "(b) with certificate, ms"]
    head += ["(c) check, ms", "(b)/(a)", "(c)/(a)"]
    rows = [
        [
            row["network"], f"{row['n_cells']:,}", f"{row['n_settled']:,}", f"{row['bytes'] / 1000:,.0f}",
            *(f"{1e3 * t:,.0f}" for t in row["median_s"].values()),
            f"{row['write_ratio']:.1f}", f"{row['check_ratio']:.0f}",
        ]
        for row in record["rows"]
    ]  # fmt: skip
    return _lines(head, rows) + _made(record)


def standalone(record: Record) -> str:
    """Return the tables of models without a network: the ways to fit them, and the default way's curve."""
    heads = ["right, %", "agrees with the network, %", "rms difference", "mean of largest", "largest", "seconds"]

    def numbers(row: Record) -> list[str]:
        shares = [f"{100 * row[name]:.2f}" for name in ("accuracy", "agreement")]
        differences = [f"{row[name]:.2f}" for name in ("root_mean_square", "mean_largest", "largest")]
        return [*shares, *differences, _seconds(row["seconds"])]

    text = ""
    if "ways" in record:
        part = record["ways"]
        rows = [[row["way"], f"{row['k']:,}", *numbers(row)] for row in part["rows"]]
        text += _lines(["way", "k", *heads], rows)
        text += f"\nHeld-back images, of which the network has {100 * part['network_accuracy']:.2f} % right.\n\n"
    if "curve" in record:
        part = record["curve"]
        rows = [
            [f"{row['k']:,}", f"{row['n_pieces']:,}", f"{row['n_parameters']:,}", f"{row['epochs']}", *numbers(row)]
            for row in part["rows"]
        ]
        text += _lines(["k", "pieces used", "numbers stored", "epochs", *heads], rows)
        text += f"\nTest images, of which the network has {100 * part['network_accuracy']:.2f} % right.\n"
    return text + _made(record)


def mnist_accuracy(record: Record) -> str:
    """Return the table of what networks of the MNIST study get right."""
    head = ["network", *(f"seed {s}" for s in record["seeds"]), "mean", "paper", "difference, points"]
    rows = []
    for row in record["rows"]:
        known = [100 * n / record["n_test"] for n in row["n_right"] if n is not None]
        mean, paper = sum(known) / len(known), row["paper_percent"]
        cells = ["not run" if n is None else f"{100 * n / record['n_test']:.2f} %" for n in row["n_right"]]
        beside = ["", ""] if paper is None else [f"{paper:.2f} %", f"{mean - paper:+.2f}"]
        rows.append([row["network"], *cells, f"{mean:.2f} %", *beside])
        if "n_right_with_one_map" in row:
            known = [100 * n / record["n_test"] for n in row["n_right_with_one_map"] if n is not None]
            cells = [
                "not run" if n is None else f"{100 * n / record['n_test']:.2f} %" for n in row["n_right_with_one_map"]
            ]
            mean, paper = sum(known) / len(known), row["paper_with_one_map"]
            beside = ["", ""] if paper is None else [f"{paper:.2f} %", f"{mean - paper:+.2f}"]
            rows.append([f"{row['network']}, one map a class", *cells, f"{mean:.2f} %", *beside])
    return _lines(head, rows) + _made(record)


def one_center(record: Record) -> str:
    """Return the table of what the centers with k = 1 depend on."""

    def percent(counts: list[int]) -> str:
        low, high = (f"{100 * n / record['n_test']:.2f}" for n in (min(counts), max(counts)))
        return low if low == high else f"{low} to {high}"

    batches = record["batches"]
    head = ["network", "seed", "mean of all maps, %", *(f"batches of {b:,}, %" for b in batches), "paper, %"]
    rows = [
        [
            row["network"], f"{row['seed']}", percent([row["n_right_exact"]]),
            *(percent(row[f"n_right_{b}"]) for b in batches), percent([row["n_right_paper"]]),
        ]
        for row in record["rows"]
    ]  # fmt: skip
    return _lines(head, rows) + f"\n{record['starts']} starts of the clustering." + _made(record).replace("\n", " ", 1)


def one_center_epochs(record: Record) -> str:
    """Return the table of how one map a class does while a network learns."""
    rows = [
        [f"{row['epoch']}", *(f"{100 * row[name] / record['n_test']:.2f}" for name in ("n_right", "n_right_one_map"))]
        for row in record["rows"]
        if row["epoch"] in (1, 2, 5, 10, 15) or row["epoch"] >= 20
    ]
    return _lines(["epoch", "the network, %", "one map a class, %"], rows) + _made(record)


def mnist_small(record: Record) -> str:
    """Return the tables of a run of the MNIST study with the small networks: their rows alone."""
    small = {name: title for name, title in record["titles"].items() if name.startswith("small")}
    rows = {
        "accuracy": lambda row: row["network"] in small,
        "maps_taken": lambda row: row["name"] in small,
        "regions": lambda row: row["name"] in small,
        "similarity": lambda row: row["from"] in small or row["to"] in small,
        "reduction": lambda row: row["network"] in small,
        "standalone": lambda row: row["network"] in small,
    }
    kept = {part: [row for row in record[part] if choose(row)] for part, choose in rows.items()}
    took = " and ".join(f"{row['training_seconds'][0]:,.0f} s ({small[row['network']]})" for row in kept["accuracy"])
    made = _made(record).replace("\n", " ", 1)
    return _study_tables(record | kept) + f"\nTraining took {took}, each on one thread.{made}"


def mnist_study(record: Record) -> str:
    """Return the tables of a run of the MNIST study, the paper's numbers and the differences in points beside."""
    training = record["seconds"].get("training")
    rest = sum(v for k, v in record["seconds"].items() if k != "training")
    took = f"Training took {training:,.0f} s, the rest" if training is not None else "Without training it took"
    return _study_tables(record) + f"\n{took} {rest:,.0f} s." + _made(record).replace("\n", " ", 1)


def _study_tables(record: Record) -> str:
    n, titles = record["n_test"], record["titles"]

    def percent(counts: list[int]) -> str:
        return f"{100 * sum(counts) / len(counts) / n:.2f}" if counts else ""

    def beside(counts: list[int], paper: int | None) -> list[str]:
        if paper is None:
            return [percent(counts), "", ""]
        return [percent(counts), f"{paper / 100:.2f}", f"{100 * sum(counts) / len(counts) / n - paper / 100:+.2f}"]

    def span(values: list[float] | None) -> str:
        return "" if values is None else f"{values[0]:.2f} to {values[1]:.2f}"

    three = ["right, %", "paper", "difference, points"]
    rows = [[titles[row["network"]], *beside(row["n_right"], row["paper"])] for row in record["accuracy"]]
    text = "*Networks.*\n\n" + _lines(["network", *three], rows)
    if record["maps_taken"]:
        rows = [
            [
                f["title"], f"{f['seed']}",
                *(v for part in (f["train"], f["test"])
                  for v in (f"{part['seconds']:,.1f}", _digits(1000 * part["seconds"] / part["n_images"]))),
                "factors" if f["train"]["is_factored"] else "all numbers",
            ]
            for f in record["maps_taken"]
        ]  # fmt: skip
        head = ["network", "seed", "training images, s", "ms per image", "test images, s", "ms per image", "kept"]
        text += "\n*Affine maps of all ten classes at all images.*\n\n" + _lines(head, rows)
    rows = [
        [
            f["title"], f"{f['seed']}",
            *("" if f[name] is None else f"{f[name]:,}"
              for name in ("n_patterns", "n_maps", "n_near", "paper_n_near", "n_sharing")),
        ]
        for f in record["regions"]
    ]  # fmt: skip
    head = [
        "network",
        "seed",
        "patterns",
        "maps",
        "those within 0.001 as one",
        "paper",
        "images that share a map",
    ]
    text += f"\n*Affine maps in use on the {n:,} test images.*\n\n" + _lines(head, rows)
    rows = [
        [
            f"{titles[row['from']]} to {titles[row['to']]}", row["bias"], *beside(row["n_right"], row["paper"]),
            percent(row["n_right_ridge"]), percent(row["n_right_chance_any"]), percent(row["n_right_chance_label"]),
            span(row["r2"]), span(row["r2_weighted"]), span(row["r2_uncentered"]), span(row["paper_r2"]),
        ]
        for row in record["similarity"]
    ]  # fmt: skip
    head = ["pair", "bias", *three, "ridge, %", "chance, %", "chance within classes, %"]
    head += ["R², coordinates alike", "R², by variance", "R², no means", "R², paper"]
    text += "\n*Maps of one network turned into those of another.*\n\n" + _lines(head, rows)
    rows = [
        [titles[row["network"]], f"{row['k']:,}", *beside(row["n_right"], row["paper"]), percent(row["n_right_random"])]
        for row in record["reduction"]
    ]
    head = ["network", "centers per class", *three, "random starts, %"]
    text += "\n*Fewer maps.*\n\n" + _lines(head, rows)
    rows = [
        [
            titles[row["network"]], f"{row['seed']}", f"{row['k']:,}", f"{row['n_parameters']:,}",
            percent([row["n_right"]]), f"{100 * row['agreement']:.2f}", f"{row['mean_deviation']:.2f}",
            f"{row['largest_deviation']:.1f}",
        ]
        for row in record["standalone"]
    ]  # fmt: skip
    head = ["network", "seed", "pieces", "numbers stored", "right, %", "agrees with the network, %"]
    return text + "\n*Models that stand alone.*\n\n" + _lines([*head, "mean deviation", "largest"], rows)


def _digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):,g}"


def affine_maps(record: Record) -> str:
    """Return the table of affine maps against one backward pass at a time."""
    head = ["network", "way", "ms per image", "of processors", "ratio", "ratio of processor time"]
    rows = []
    for row in record["rows"]:
        ratios = row["ratios of wall and processor time"]
        for name, (wall, cpu) in row["wall and processor ms per image"].items():
            more = [f"{ratio:,.0f}" for ratio in ratios[name]] if name in ratios else ["", ""]
            rows.append([row["network"], name, _digits(wall), _digits(cpu), *more])
    return _lines(head, rows) + _made(record).rstrip(".\n") + f", load {record['load']:.0f} at the end.\n"


def trace(record: Record) -> str:
    """Return the table of tracing paths against forward passes at as many points as there are breakpoints."""
    head = ["network", "segments", "breakpoints", "signs settled exactly", "trace, ms", "our forward pass, ms", "ratio"]
    rows = []
    for row in record["digits"]:
        cpu = row["times"]["trace"]["cpu_s"]
        ours = cpu / row["ratio_to_net"]
        rows.append([f"`{row['network']}`", f"{row['n_segments']}", row, cpu, ours])
    rows += [[f"`{row['network']}`", "1", row, row["cpu_s"], row["net_cpu_s"]] for row in record["convolutional"]]
    lines = [
        [
            name, n, f"{row['n_breakpoints']:,}", f"{row['n_escalated']:,}", f"{1e3 * cpu:,.1f}", f"{1e3 * ours:,.1f}",
            f"{cpu / ours:.2f}",
        ]
        for name, n, row, cpu, ours in rows
    ]  # fmt: skip
    oracle = record["oracle"]
    checked = (
        f"\nAgainst the oracle: {oracle['n_segments']:,} random segments with {oracle['n_pieces']:,} pieces, "
        f"{oracle['n_missing']} missing, {oracle['n_extra']} extra; {oracle['n_escalated']:,} signs were settled "
        "exactly.\n"
    )
    return _lines(head, lines) + checked + _made(record["machine"])


def solids(record: Record) -> str:
    """Return the table of counting cells in three to six dimensions."""
    head = ["network", "cells", "counted/s", "asked", "× forward pass", "enumerated/s", "× forward pass"]
    rows = [
        [
            row["network"],
            f"{row['n_cells']:,}",
            f"{row['cells_per_second']:,.0f}",
            f"{row['asked_per_second']:,}",
            f"{row['ratio_to_forward']:.1f}",
            f"{row['enumerated_per_second']:,.0f}",
            f"{row['enumerate_ratio_to_forward']:.1f}",
        ]
        for row in record["rows"]
    ]
    return _lines(head, rows) + _made(record)


def adjacency(record: Record) -> str:
    """Return the table of enumerating against counting where several units turn together."""
    head = ["network", "cells", "facets where several turn", "count, ms", "enumerate, ms", "enumerate / count"]
    rows = [
        [
            f"`{row['network']}`",
            f"{row['n_cells']:,}",
            f"{row['share_of_facets_with_several']:.0%}",
            f"{1e3 * row['count_s']:.1f}",
            f"{1e3 * row['enumerate_s']:.1f}",
            f"{row['ratio']:.2f}",
        ]
        for row in record["rows"]
    ]
    return _lines(head, rows) + _made(record)


def local(record: Record) -> str:
    """Return the table of small windows of large networks."""
    head = ["network", "share of the sides", "cells", "units that can change", "count / forward pass", "asked"]
    head += ["enumerate / forward pass", "asked", "counted, cells/s"]
    rows = []
    for row in record["windows"]:
        asked = ["" if target is None else f"{target:g}" for target in row["targets"]]
        found = row["automatic"]
        rows.append([
            f"`{row['network']}`", f"{row['share']:g}", f"{row['cells']:,}", f"{row['open']:,} of {row['units']:,}",
            f"{found['count_ratio']:.2f}", asked[0], f"{found['enumerate_ratio']:.2f}", asked[1],
            f"{found['count_per_s']:,.0f}",
        ])  # fmt: skip
    load = f", load {record['load'][0]:.0f}.\n"
    return _lines(head, rows) + _made(record["machine"]).rstrip(".\n") + load


def cell_at(record: Record) -> str:
    """Return the table of cells of single points."""
    rows = [[str(v) if not isinstance(v, float) else _digits(v) for v in row.values()] for row in record["rows"]]
    return _lines([str(name).replace("_", " ") for name in record["rows"][0]], rows) + _made(record)


def acas_box(record: Record) -> str:
    """Return the tables of exact counts, of the run on the whole box, and of the extrapolations."""
    exact = [
        [
            f"[-{row['half']:g}, {row['half']:g}]^5", f"{row['n_cells']:,}", f"{row['prototype']:,}",
            f"{row['one_thread_per_second']:,.0f}", f"{row['all_cores_per_second']:,.0f}",
        ]
        for row in record["exact"]
    ]  # fmt: skip
    text = _lines(["box", "cells", "by another program", "cells/s, one thread", f"{record['jobs']} jobs"], exact)
    whole = record["whole_box"]
    rows = [
        ["cells found", f"{whole['n_cells']:,}"],
        ["share of the volume", f"{100 * whole['share_of_volume']:.3g} %"],
        ["seconds", _seconds(whole["seconds"])],
        ["cells/s", f"{whole['cells_per_second']:,.0f}"],
        ["size of the checkpoint", f"{whole['checkpoint_mb']:.1f} MB"],
    ]
    for number, part in enumerate(whole["parts"], 1):
        early = f"{_megabytes(part['early_mb'])} after a tenth, " if "early_mb" in part else ""
        rows.append([f"part {number}, ended by {part['ended_by']}: peak memory", early + _megabytes(part["peak_mb"])])
    text += "\n" + _lines([f"[-{whole['half']:g}, {whole['half']:g}]^5", "as far as it reached"], rows)
    if "extrapolations" in record:
        share, sample = record["extrapolations"]["by_share"], record["extrapolations"]["by_sub_boxes"]
        rows = [
            ["cells over share of the volume: biased", f"{share['n_cells']:.2g}", ""],
            [
                f"mean of {sample['n_sub_boxes']:,} of {sample['grid']}^5 sub-boxes", f"{sample['n_cells']:.3g}",
                f"{sample['standard_error']:.2g}",
            ],
        ]  # fmt: skip
        text += "\n" + _lines(["**extrapolated**", "cells of the whole box", "standard error"], rows)
    return text + _made(record).rstrip(".\n") + f", load {record['load']:.0f} at the end.\n"


def joining(record: Record) -> str:
    """Return the table of how few pieces will do."""
    head = ["allowed, of the output range", "pieces found", "no fewer than", "off by at most, of the range"]
    head += ["k-means with as many: off by", "random points: largest difference, of what was claimed", "joining, s"]
    head += ["bound, s"]
    range_ = record["output_range"]
    rows = [
        [
            f"{100 * row['share']:g} %", str(row["n_pieces"]), str(row["n_at_least"]),
            f"{100 * row['error'] / range_:.2f} %", f"{100 * row['kmeans_error'] / range_:.1f} %",
            f"{row['largest_share_of_claim']:.4f}", f"{row['join_s']:.1f}", f"{row['bound_s']:.1f}",
        ]
        for row in record["rows"]
    ]  # fmt: skip
    what = f"{record['n_cells']} cells, {record['n_linear_regions']} linear regions, output range {range_:.3g}, "
    what += f"accuracy {record['accuracy']:.3f}; {record['rows'][0]['n_points']:,} points for each row.\n"
    return _lines(head, rows) + "\n" + what + _made(record)


def simplify(record: Record) -> str:
    """Return the table of networks that were made smaller on a domain."""
    head = ["network, domain", "tolerance", "few", "units", "needed by bounds", "stored numbers", "multiplications"]
    head += ["largest difference", "bound", "programs", "seconds"]
    rows = []
    for row in record["rows"]:
        before, after = row["before"], row["after"]
        sizes = [f"{before[name]:,} → {after[name]:,}" for name in ("units", "numbers", "multiply_adds")]
        so_far = "" if row["is_complete"] else " (time ran out)"
        rows.append([
            row["case"], f"{row['tolerance']:g}", row["objective"], sizes[0], f"{row['bent_by_bounds']:,}", *sizes[1:],
            f"{row['difference']:.1e}", f"{row['error_bound']:.2g}", f"{row['n_programs']:,}{so_far}",
            _seconds(row["seconds"]),
        ])  # fmt: skip
    return _lines(head, rows) + _made(record["machine"])


def atlas(record: Record) -> str:
    """Return the table of the atlas in a browser."""
    sharp = record["sharp_ms"]
    rows = [
        ["cells", f"{record['cells']:,}"],
        ["size of the page", f"{record['megabytes']:.0f} MB"],
        ["from opening it to the first sharp picture", f"{record['open_s']:.1f} s"],
        ["frames a second while the hand moves", f"{record['frames_per_s']:.0f}"],
        *([f"from rest to the sharp picture, by {by}", f"{ms:.0f} ms"] for by, ms in sharp.items()),
        ["from the pointer to the frame that tells the cell", f"{record['hover_ms']:.0f} ms"],
        ["the same polygons by the canvas' own paths", f"{record['paths_ms']:,.0f} ms"],
    ]
    return _lines(["1400 x 900, no graphics card", "median"], rows) + _made(record)


def live(record: Record) -> str:
    """Return the table of windows of the live atlas."""
    head = ["network", "moves", "windows", "cells (mean)", "first cells, ms", "all cells, ms", "slowest, ms"]
    head += ["memory after a tenth", "after all"]
    rows = [
        [
            row["model"], f"{row['moves']:,}", f"{row['windows']:,} of up to {row['most_cells']:,} cells",
            f"{row['cells']:,.0f}", *(f"{row[name]:,.0f}" for name in ("first_ms", "complete_ms", "slowest_ms")),
            *map(_megabytes, row["memory_mb"]),
        ]
        for row in record["rows"]
    ]  # fmt: skip
    return _lines(head, rows) + _made(record)


TABLES: dict[str, Callable[[Record], str]] = {
    "real_models": real_models,
    "degenerate": degenerate,
    "families": families,
    "plane": plane,
    "certificates": certificates,
    "standalone": standalone,
    "affine_maps": affine_maps,
    "mnist_accuracy": mnist_accuracy,
    "mnist_study": mnist_study,
    "mnist_small": mnist_small,
    "one_center": one_center,
    "one_center_epochs": one_center_epochs,
    "trace": trace,
    "solids": solids,
    "adjacency": adjacency,
    "cell_at": cell_at,
    "local": local,
    "acas_box": acas_box,
    "joining": joining,
    "simplify": simplify,
    "atlas": atlas,
    "live": live,
}


MADE_BY = {
    "mnist_study": "reluatlas study mnist --data mnist --out run; python scripts/record_mnist_study.py run",
    "mnist_small": "reluatlas study mnist --data mnist --networks dense,small-resnet --out run; "
    "python scripts/record_mnist_study.py run --out benchmarks/records/mnist_small.json",
    "one_center_epochs": "python benchmarks/one_center.py --epochs-of conv2 "
    "--out benchmarks/records/one_center_epochs.json",
}


def filled(text: str) -> str:
    """Return a page with its tables written anew."""

    def table(match: re.Match[str]) -> str:
        path = ROOT / "benchmarks" / "records" / f"{match[2]}.json"
        if not path.exists():
            default = f"python benchmarks/{match[2]}.py --out benchmarks/records/{match[2]}.json"
            body = f"Not measured yet: `{MADE_BY.get(match[2], default)}`\n"
        else:
            body = TABLES[match[2]](json.loads(path.read_text(encoding="utf-8")))
        return match[1] + body + match[3]

    return _TABLE.sub(table, text)


def main() -> None:
    for name in PAGES:
        path = ROOT / name
        temporary = path.with_suffix(".tmp")
        temporary.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
        os.replace(temporary, path)


if __name__ == "__main__":
    main()
