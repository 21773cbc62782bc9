"""What do single points and segments cost? Tables of affine maps, cells and paths."""

from __future__ import annotations

from scripts.tables.words import Record, digits, made, table


def affine_maps(record: Record) -> str:
    """Return the table of affine maps against one backward pass at a time."""
    head = ["network", "way", "ms per image", "of processors", "ratio", "ratio of processor time"]
    rows = []
    for row in record["rows"]:
        ratios = row["ratios of wall and processor time"]
        for name, (wall, cpu) in row["wall and processor ms per image"].items():
            more = [f"{ratio:,.0f}" for ratio in ratios[name]] if name in ratios else ["", ""]
            rows.append([row["network"], name, digits(wall), digits(cpu), *more])
    return table(head, rows) + made(record).rstrip(".\n") + f", load {record['load']:.0f} at the end.\n"


def cell_at(record: Record) -> str:
    """Return the table of cells of single points."""
    rows = [[str(v) if not isinstance(v, float) else digits(v) for v in row.values()] for row in record["rows"]]
    return table([str(name).replace("_", " ") for name in record["rows"][0]], rows) + made(record)


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
    return table(head, lines) + checked + made(record["machine"])


def limits(record: Record) -> str:
    """Return the table of what ended when its time was over."""
    rows = [
        [
            row["model"], f"`{row['verb']}`" if row["verb"].startswith("reluatlas") else row["verb"],
            f"{row['limit']:g}" + (f" x {row['limits_within']}" if row["limits_within"] > 1 else ""),
            f"{row['took']:.1f}", f"{row['processor']:.1f}", "yes" if row["kept"] else "**no**",
        ]
        for row in record["rows"]
    ]  # fmt: skip
    head = ["network", "what", "limit, s", "took, s", "processor, s", "kept to 1 s and a tenth"]
    return table(head, rows) + made(record["machine"]).rstrip(".\n") + f", load {record['load']:.1f}.\n"
