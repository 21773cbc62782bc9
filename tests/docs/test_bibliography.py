"""Every work that is cited has one entry in the bibliography, and every entry is cited."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "bibliography.md"
KEY = re.compile(r"\[([A-Z][A-Za-z]+(?:1[89]|20)\d\d[a-z]?)\]")
ENTRY = re.compile(rf"^- \*\*{KEY.pattern}\*\* ", re.MULTILINE)


def cited() -> dict[str, set[str]]:
    """Return where each key is cited."""
    found: dict[str, set[str]] = {}
    pages = [page for page in ROOT.glob("docs/*.md") if page != PAGE]
    for path in [*ROOT.glob("src/**/*.py"), *pages, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for key in KEY.findall(path.read_text(encoding="utf-8")):
            found.setdefault(key, set()).add(path.name)
    return found


def entries() -> list[str]:
    """Return the keys of the bibliography, in its order."""
    return ENTRY.findall(PAGE.read_text(encoding="utf-8"))


def test_every_key_is_an_entry_and_every_entry_is_cited():
    places, known = cited(), set(entries())
    assert len(known) > 30
    assert {key: sorted(where) for key, where in places.items() if key not in known} == {}, "cited, and no entry"
    assert known - set(places) == set(), "an entry that nothing cites"


def test_entries_are_once_each_in_order_and_say_when():
    keys = entries()
    assert keys == sorted(set(keys), key=str.lower)
    texts = PAGE.read_text(encoding="utf-8").split("\n- ")[1:]
    assert len(texts) == len(keys)
    for key, text in zip(keys, texts, strict=True):
        assert re.findall(r"\d{4}", key)[0] in text.split("** ", 1)[1], key
        title = re.search(r"\*([^*]+)\*", text.split("** ", 1)[1])
        assert title is not None, f"{key} has no title"


def test_wrong_keys_are_found():
    assert KEY.findall("by [Farkas1902] and ([Yap1997](bibliography.md)), a[Index], [A2], [x1999]") == [
        "Farkas1902",
        "Yap1997",
    ]
