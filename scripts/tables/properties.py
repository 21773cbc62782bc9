"""Are properties decided in time? Tables of verdicts, with what the search and the check of certificates took."""

from __future__ import annotations

from scripts.tables.words import Record, made, seconds, table


def properties(record: Record) -> str:
    """Return the tables of ACAS Xu and of images, and what random properties came to."""
    head = ["verdict", "parts bounded", "parts of the certificate", "bytes", "seconds", "of a processor"]
    head += ["check, s", "of a processor"]
    text = ""
    if "acas" in record:
        rows = [[row["network"], str(row["property"]), *_numbers(row)] for row in record["acas"]]
        text += table(["network", "property", *head], rows) + "\n"
    if "images" in record:
        rows = [[str(row["image"]), row["eps"], *_numbers(row)] for row in record["images"]]
        text += table(["test image", "box around it", *head], rows) + "\n"
    if "random" in record:
        part = record["random"]
        wrong = part["n"] - part["holds"] - part["violated"] - part["open"]
        text += f"{part['n']} random small properties: {part['holds']} hold, {part['violated']} are violated, "
        text += f"{part['open']} open, {wrong} unlike the rational oracle; {part['processor_seconds']:.0f} s of a "
        text += f"processor, the oracle's {part['oracle_processor_seconds']:.0f} s.\n"
    return text + made(record)


def _numbers(row: Record) -> list[str]:
    said = row["verdict"]
    if row.get("model_violates") is not None:
        said += ", by the model's own float32, too" if row["model_violates"] else ", not by the model's own float32"
    holds = row["verdict"] == "holds"
    return [
        said,
        f"{row['n_parts']:,}",
        f"{row['n_leaves']:,}" if holds else "",
        f"{row['bytes']:,}" if holds else "",
        seconds(row["seconds"]),
        seconds(row["processor_seconds"]),
        seconds(row.get("check_seconds")),
        seconds(row.get("check_processor_seconds")),
    ]
