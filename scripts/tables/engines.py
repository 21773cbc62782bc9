"""How fast and how sure is the engine? Tables of cells counted and enumerated, with what doubt and proofs cost."""

from __future__ import annotations

from scripts.tables.words import Record, made, megabytes, seconds, table


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
            seconds(row["count_s"]), seconds(row.get("enumerate_s")),
            megabytes(row["count_mb"]), megabytes(row.get("enumerate_mb")),
        ])  # fmt: skip
    return table(head, rows) + made(record)


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
    return table(head, rows) + made(record)


def families(record: Record) -> str:
    """Return the table of answers about hard small networks: right, wrong, refused."""
    head = ["family", "networks", "answers", "wrong", "other exceptions", "networks refused in part", "seconds"]
    counts = ("networks", "answers", "wrong", "foreign", "networks_refused")
    rows = [*record["rows"], {"family": "all", **{c: sum(r[c] for r in record["rows"]) for c in (*counts, "seconds")}}]
    cells = [[row["family"], *(f"{row[c]:,}" for c in counts), f"{row['seconds']:,.0f}"] for row in rows]
    return table(head, cells) + made(record)


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
    return table(head, rows) + made(record)


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
    return table(head, rows) + made(record)


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
    return table(head, rows) + made(record)


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
    return table(head, rows) + made(record)


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
    return table(head, rows) + made(record["machine"]).rstrip(".\n") + load


def acas_box(record: Record) -> str:
    """Return the tables of exact counts, of the run on the whole box, and of the extrapolations."""
    exact = [
        [
            f"[-{row['half']:g}, {row['half']:g}]^5", f"{row['n_cells']:,}", f"{row['prototype']:,}",
            f"{row['one_thread_per_second']:,.0f}", f"{row['all_cores_per_second']:,.0f}",
        ]
        for row in record["exact"]
    ]  # fmt: skip
    text = table(["box", "cells", "by another program", "cells/s, one thread", f"{record['jobs']} jobs"], exact)
    whole = record["whole_box"]
    rows = [
        ["cells found", f"{whole['n_cells']:,}"],
        ["share of the volume", f"{100 * whole['share_of_volume']:.3g} %"],
        ["seconds", seconds(whole["seconds"])],
        ["cells/s", f"{whole['cells_per_second']:,.0f}"],
        ["size of the checkpoint", f"{whole['checkpoint_mb']:.1f} MB"],
    ]
    for number, part in enumerate(whole["parts"], 1):
        early = f"{megabytes(part['early_mb'])} after a tenth, " if "early_mb" in part else ""
        rows.append([f"part {number}, ended by {part['ended_by']}: peak memory", early + megabytes(part["peak_mb"])])
    text += "\n" + table([f"[-{whole['half']:g}, {whole['half']:g}]^5", "as far as it reached"], rows)
    if "extrapolations" in record:
        share, sample = record["extrapolations"]["by_share"], record["extrapolations"]["by_sub_boxes"]
        rows = [
            ["cells over share of the volume: biased", f"{share['n_cells']:.2g}", ""],
            [
                f"mean of {sample['n_sub_boxes']:,} of {sample['grid']}^5 sub-boxes", f"{sample['n_cells']:.3g}",
                f"{sample['standard_error']:.2g}",
            ],
        ]  # fmt: skip
        text += "\n" + table(["**extrapolated**", "cells of the whole box", "standard error"], rows)
    return text + made(record).rstrip(".\n") + f", load {record['load']:.0f} at the end.\n"
