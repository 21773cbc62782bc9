"""Writes docs/operators.md from the operator tables. Run it when an operator was added."""

from __future__ import annotations

import os
from pathlib import Path

from reluatlas.importers.catalog import markdown


def main() -> None:
    page = Path(__file__).resolve().parents[1] / "docs" / "operators.md"
    page.parent.mkdir(exist_ok=True)
    draft = page.with_suffix(".tmp")
    draft.write_text(markdown(), encoding="utf-8")
    os.replace(draft, page)
    print(f"wrote {page}")


if __name__ == "__main__":
    main()
