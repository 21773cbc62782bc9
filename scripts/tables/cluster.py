"""How far does a count scale, and how many cells has a box that nobody counted? Tables of clusters and of sampling."""

from __future__ import annotations

from scripts.tables.words import Record, made, table


def cluster(record: Record) -> str:
    """Return what Ray costs on two cores, and what a simulated run takes on many."""
    text = ""
    over = record.get("overhead")
    if over:
        rows = [
            [str(i + 1), f"{a:,.0f}", f"{b:,.0f}", f"{a / b:.2f}"] for i, (a, b) in enumerate(over["cells_per_second"])
        ]
        text += table(["pair", "two threads, cells/s", "two workers of Ray, cells/s", "times as long"], rows)
        text += (
            f"\nMedian: {over['times_longer']:.2f} times as long. Besides, {over['started_s']:.0f} s until the first "
        )
        text += f"count was there; a call that does nothing takes {1e3 * over['call_s']:.1f} ms.\n\n"
    told, items = record["simulated"], record["items"]
    head = ["cores (simulated)", "minutes", "cores at work", "driver at work", "calls", "until all have work, s"]
    rows = [
        [
            f"{row['cores']:,}", f"{row['seconds'] / 60:,.1f}", f"{100 * row['efficiency']:.0f} %",
            f"{100 * row['driver_busy']:.0f} %", f"{row['calls']:,}",
            "-" if row["ramp_s"] is None else f"{row['ramp_s']:.0f}",
        ]
        for row in told["rows"]
    ]  # fmt: skip
    text += table(head, rows)
    text += (
        f"\nA run of {told['core_hours']:g} hours of one core. Measured on {items['portions']:,} portions: the driver "
    )
    text += f"is busy for {1e3 * told['driver_s']:.1f} ms with each, its call included; it has "
    text += f"{items['bytes_per_portion'] / 1e3:,.0f} kB, and leaves {items['mean_parts']:.0f} items.\n"
    return text + made(record["machine"])


def acas_count(record: Record) -> str:
    """Return the estimate of a number of cells by sampling, and the law of its intervals."""
    rows = []
    if "estimate" in record:
        part = record["estimate"]
        rows += [
            ["cells, estimated", f"{part['n_cells']:.3g}"],
            [
                "standard error",
                f"{part['standard_error']:.2g} ({100 * part['standard_error'] / part['n_cells']:.1f} %)",
            ],
            ["sub-boxes drawn, of 20^5", f"{part['n_sub_boxes']:,}, after a pilot of {part['n_pilot']:,}"],
            ["cells counted for it", f"{part['cells_counted']:,}"],
            ["seconds; of processor time", f"{part['seconds']:,.0f}; {part['processor_s']:,.0f}"],
        ]
    if "law" in record:
        part = record["law"]
        rows += [
            [f"[-{part['half']}, {part['half']}]^5, counted and added up from {part['grid']}^5 sub-boxes",
             f"{part['n_cells']:,} both times"],
            ["of 100 intervals of 95 % there, hold it", f"{part['held_of_100']}"],
        ]  # fmt: skip
    last = record["law" if "law" in record else "estimate"]
    return table(["`run2a_1_1` on [-0.5, 0.5]^5", ""], rows) + made(last["machine"])
