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
    told = table(head, rows)
    command = record.get("command")
    if command:
        facts = [
            [
                "until the address is there",
                f"{command['address_s']:.1f} s, {command['address_processor_s']:.1f} s of a processor",
            ],
            [
                "a window, one page alone (median, slowest)",
                f"{command['alone_s']:.2f} s, {command['slowest_alone_s']:.2f} s",
            ],
            [
                f"the same windows, {command['pages']} pages at once",
                f"{command['together_s']:.2f} s, {command['slowest_together_s']:.2f} s",
            ],
            ["longest wait to one page alone", f"{command['worst_ratio']:.1f} times"],
            ["a page has gone: until nothing is done for it", f"{command['vanished_s']:.1f} s"],
            ["from Ctrl-C to the end", f"{command['ctrl_c_s']:.1f} s"],
        ]
        told += "\n" + table(["`reluatlas view`, mnist-net_256x4", "time"], facts)
    return told + made(record)
