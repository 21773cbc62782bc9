"""How small does it get? Tables of models with fewer pieces or units than the network that they stand for."""

from __future__ import annotations

from scripts.tables.words import Record, made, seconds, table


def standalone(record: Record) -> str:
    """Return the tables of models without a network: the ways to fit them, and the default way's curve."""
    heads = ["right, %", "agrees with the network, %", "rms difference", "mean of largest", "largest", "seconds"]

    def numbers(row: Record) -> list[str]:
        shares = [f"{100 * row[name]:.2f}" for name in ("accuracy", "agreement")]
        differences = [f"{row[name]:.2f}" for name in ("root_mean_square", "mean_largest", "largest")]
        return [*shares, *differences, seconds(row["seconds"])]

    text = ""
    if "ways" in record:
        part = record["ways"]
        rows = [[row["way"], f"{row['k']:,}", *numbers(row)] for row in part["rows"]]
        text += table(["way", "k", *heads], rows)
        text += f"\nHeld-back images, of which the network has {100 * part['network_accuracy']:.2f} % right.\n\n"
    if "curve" in record:
        part = record["curve"]
        rows = [
            [f"{row['k']:,}", f"{row['n_pieces']:,}", f"{row['n_parameters']:,}", f"{row['epochs']}", *numbers(row)]
            for row in part["rows"]
        ]
        text += table(["k", "pieces used", "numbers stored", "epochs", *heads], rows)
        text += f"\nTest images, of which the network has {100 * part['network_accuracy']:.2f} % right.\n"
    return text + made(record)


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
    return table(head, rows) + "\n" + what + made(record)


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
            seconds(row["seconds"]),
        ])  # fmt: skip
    return table(head, rows) + made(record["machine"])


def compare(record: Record) -> str:
    """Return the table of how far apart two networks are on boxes."""
    head = ["box", "reached", "nowhere more than", "gap", "boxes", "seconds", "processor seconds"]
    around = [(f"around center {i}", row) for i, row in enumerate(record["acas"].get("around", []))]
    named = [(name, row) for name, row in record["acas"].items() if name != "around"]
    properties, whole = named[:2], named[2:]
    rows = [
        [
            name, f"{row['lower']:.9g}", f"{row['upper']:.9g}",
            "closed" if not row["stopped_by"] else f"{100 * row['gap']:.2g} %",
            f"{row['n_boxes']:,}", seconds(row["seconds"]), seconds(row["processor_seconds"]),
        ]
        for name, row in (*properties, *around, *whole)
    ]  # fmt: skip
    return table(head, rows) + made(record)
