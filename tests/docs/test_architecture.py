"""What the pages for contributors say of the code is so: layers, files, counts, and that every page is listed once."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "reluatlas"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MOST_FILES = {"plane": 8, "one to six": 9, "beyond six": 7, "segment": 6, "point": 8}
"""So many files at most take part in the sign of a row; more, and nobody reads them all."""


def section(title: str) -> str:
    """Return the text below a heading of the page, up to the next one."""
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_the_table_of_layers_is_that_of_the_contract():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {c["id"]: c for c in project["tool"]["importlinter"]["contracts"]}
    held = [[name.strip(" ()") for name in row.split("|")] for row in contracts["layers"]["layers"]]
    rows = [line.split("|")[1] for line in section("Layers").splitlines() if line.startswith("| `")]
    assert [re.findall(r"`(\w+)`", row) for row in rows] == held


def test_every_file_that_is_named_is_there():
    text = PAGE
    for line in section("Rooms for what is to come").splitlines():
        if line.startswith("| "):  # the room itself is not there yet; what it rests on is
            text = text.replace(line, line.split("|")[3])
    named = set(re.findall(r"`([\w/]+\.(?:py|toml))`", text)) - {"figures/NAME.py"}
    places = (ROOT, SOURCE, SOURCE / "subdivision")
    assert len(named) > 50
    assert [name for name in sorted(named) if not any((place / name).exists() for place in places)] == []


@pytest.mark.parametrize("engine", MOST_FILES)
def test_files_of_a_sign_are_counted(engine):
    ways = re.findall(r"^- ([a-z ]+), (\d+): ((?:.|\n {2})+)", section("The ladder of a sign"), re.MULTILINE)
    assert [way[0] for way in ways] == list(MOST_FILES)
    count, text = {name: (int(count), text) for name, count, text in ways}[engine]
    files = re.findall(r"`([\w/]+\.py)`", text)
    assert len(files) == len(set(files)) == count <= MOST_FILES[engine]


def test_the_index_lists_every_page_once():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name != "index.md")
    assert sorted(re.findall(r"\]\(([\w-]+\.md)\)", index)) == pages


PAGES = ["README.md", "CONTRIBUTING.md", "benchmarks/README.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_modules_and_names_that_pages_name_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in sorted(set(re.findall(r"\breluatlas(?:\.[A-Za-z_]\w*)+", text))):
        resolve_name(name)  # raises where a part is missing
