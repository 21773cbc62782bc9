from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from reluatlas.network.network import Note
from reluatlas.report.drawings import Drawing, Mark
from reluatlas.report.page import About, page

NASTY = "<script>alert('x')</script> & \"quotes\""
VOID = {"meta", "link", "img", "br"}


class Reader(HTMLParser):
    """Collects tags and text, and fails where tags do not nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.sources = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [v for k, v in attrs if k in ("src", "href", "srcset", "data", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def read(whole, drawn):
    marks = [Mark("digit 1", np.zeros(2), np.eye(3))]
    return Reader(page(whole, About("A title", "An intro.", "reluatlas cells x", "import reluatlas"), drawn, marks))


def test_the_page_says_the_numbers(read, whole):
    v, e, f = whole.f_vector
    for text in (
        "A title", "An intro.", f"{whole.n_cells} cells", f"{v} vertices, {e} edges, {f} cells",
        f"{whole.n_affine_maps} different affine maps", "8 of 8", "reluatlas cells x", "import reluatlas",
        "Nothing was rounded, folded or dropped", "exact: every sign is certain",
    ):  # fmt: skip
        assert text in read.text, text
    assert "Incomplete" not in read.text


def test_the_page_is_self_contained(read):
    assert read.tags.count("img") == 7 and "script" not in read.tags
    assert read.sources and all(source.startswith("data:") for source in read.sources)


def test_the_largest_cells_come_first(read, whole):
    rows = read.text.partition("Largest cells")[2]
    order = np.argsort(-whole.volumes, kind="stable")
    assert rows.index(f" {whole.volumes[order[0]]:.6g} ") < rows.index(f" {whole.volumes[order[1]]:.6g} ")


def test_an_incomplete_answer_is_marked(cut_short):
    read = Reader(page(cut_short, About("t"), []))
    assert "Incomplete: the limit of cells was reached" in read.text
    assert "cells found so far" in read.text and "(of the part that was done)" in read.text
    assert "Figures" not in read.text


def test_text_from_outside_is_escaped(whole):
    class Named:
        def __init__(self, cx):
            self.cx = cx

        def __getattr__(self, name):
            return getattr(self.cx, name)

    cx = Named(whole)
    notes = (Note("dropped", NASTY, NASTY),)
    nodes = tuple(replace(n, name=NASTY) for n in whole.network.nodes)
    cx.network = replace(whole.network, nodes=nodes, notes=notes, source=NASTY)
    drawing = Drawing(NASTY, NASTY, NASTY, b"", b"", False)
    text = page(cx, About(NASTY, NASTY, NASTY, NASTY), [drawing], [Mark(NASTY, np.zeros(2), np.eye(2))])
    read = Reader(text)
    assert "script" not in read.tags and "<script" not in text
    assert read.text.count(NASTY) >= 10


def test_a_long_network_is_cut_with_a_word(whole):
    class Named:
        def __getattr__(self, name):
            return getattr(whole, name)

    cx = Named()
    cx.network = replace(whole.network, notes=tuple(Note("rounded", f"n{i}", "by 1e-16") for i in range(65)))
    assert "and 5 more notes" in Reader(page(cx, About("t"), [])).text
