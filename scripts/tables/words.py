"""How is a table written? Rows as Markdown, numbers as text, and the machine of a record in a line."""

from __future__ import annotations

from typing import Any

Record = dict[str, Any]


def table(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in (head, rule, *rows))


def made(record: Record) -> str:
    versions = f"Python {record['python']}, numpy {record['numpy']}"
    versions += f", numba {record['numba']}" if "numba" in record else ""
    machine = f"{record.get('processor') or record.get('machine')}, {record['cores']} cores"
    commit = f", commit {record['commit']}" if record.get("commit") else ""
    return f"\n{machine}; {versions}{commit}.\n"


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 9.95 else f"{value:.0f}"


def megabytes(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f} MB"


def digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):,g}"
