"""Fragments of the changelog have a kind that towncrier knows; one that it does not know would be left out unsaid."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_fragment_has_a_kind_and_a_sentence():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    kinds = "|".join(kind["directory"] for kind in settings["type"])
    folder = ROOT / settings["directory"]
    assert folder.is_dir()
    for path in folder.iterdir():
        if path.name == ".gitkeep":
            continue
        assert re.fullmatch(rf"\+[a-z0-9-]+\.({kinds})\.md", path.name), path.name
        text = path.read_text(encoding="utf-8")
        assert text[0].isupper() or text[0] == "`", path.name
        assert text.endswith(".\n") and not text.startswith(("-", "#")), path.name


def test_new_versions_have_a_place_above_the_old_ones():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    text = (ROOT / settings["filename"]).read_text(encoding="utf-8")
    assert text.count(settings["start_string"]) == 1
    assert text.index(settings["start_string"]) < text.index("\n## ")
