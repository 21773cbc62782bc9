"""The tutorial is what its script makes: its code is in the page, and all of it runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.make_toy_page import STEPS, run_steps

PAGE = Path(__file__).parents[2] / "docs" / "toy.md"


def _code(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)\n```", page, re.DOTALL)


def test_the_page_holds_the_scripts_text_and_code_and_its_pictures_are_there():
    page = PAGE.read_text(encoding="utf-8")
    assert _code(page) == [code.strip() for _, code in STEPS if code]
    assert all(text.strip() in page for text, _ in STEPS)
    targets = re.findall(r"\]\(([^)]*)\)", page)
    assert len(targets) == 5 and all((PAGE.parent / target).is_file() for target in targets)


@pytest.mark.slow
def test_all_code_of_the_page_runs(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")
    page = run_steps(tmp_path)
    assert "True (" in page and page.count("```text") == PAGE.read_text(encoding="utf-8").count("```text")
    assert {p.name for p in (tmp_path / "toy").iterdir()} == {"film.html", "last.png", "over-time.png"}
