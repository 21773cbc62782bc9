"""How fast is the atlas? Tables of the page in a browser, and of the windows of the live one."""

from __future__ import annotations

from scripts.tables.words import Record, made, megabytes, table


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
    return table(["1400 x 900, no graphics card", "median"], rows) + made(record)


def live(record: Record) -> str:
    """Return the table of windows of the live atlas."""
    head = ["network", "moves", "windows", "cells (mean)", "first cells, ms", "all cells, ms", "slowest, ms"]
    head += ["memory after a tenth", "after all"]
    rows = [
        [
            row["model"], f"{row['moves']:,}", f"{row['windows']:,} of up to {row['most_cells']:,} cells",
            f"{row['cells']:,.0f}", *(f"{row[name]:,.0f}" for name in ("first_ms", "complete_ms", "slowest_ms")),
            *map(megabytes, row["memory_mb"]),
        ]
        for row in record["rows"]
    ]  # fmt: skip
    return table(head, rows) + made(record)
