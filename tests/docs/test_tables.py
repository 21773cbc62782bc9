"""Tables of measurements are those of the records, and links between pages lead somewhere."""

from __future__ import annotations

import re

import pytest

from scripts.fill_tables import PAGES, ROOT, TABLES, filled

_LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#([^)]*))?\)")
LINKED = ["README.md", "CONTRIBUTING.md", "benchmarks/README.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_those_of_the_records(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "<!-- table " in text
    assert filled(text) == text, "run `python scripts/fill_tables.py`"


def test_every_record_is_in_a_page_and_has_a_table():
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    records = {path.stem for path in (ROOT / "benchmarks" / "records").glob("*.json")}
    assert records and records <= set(TABLES)
    assert all(f"<!-- table {name} -->" in text for name in records)


@pytest.mark.parametrize("page", LINKED)
def test_links_lead_somewhere(page):
    place = (ROOT / page).parent
    for target, anchor in _LINK.findall((ROOT / page).read_text(encoding="utf-8")):
        assert (place / target).exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", (place / target).read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings], anchor
