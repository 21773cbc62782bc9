"""The page holds the complex: read back by a reader of its own, bit for bit; and nothing else gets in."""

from __future__ import annotations

import base64
import hashlib
import re

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.atlas.contents import LEFT_OUT, contents_of
from reluatlas.atlas.marks import Mark
from reluatlas.atlas.page import page_of, write_page
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from tests.unit.atlas.read_page import patterns, policy, read
from tests.unit.figures.fake import layers_of

BUDGET = 60  # bytes a cell beyond vertices and outputs
FREE = ("xy", "outputs", "piece.xy", "boundary")


def complexes():
    yield "box", ra.enumerate_cells(ra.load(layers_of((2, 7, 6, 2))), ra.Box([-1, -2], [1, 2]))
    yield "one output", ra.enumerate_cells(ra.load(layers_of((2, 9, 1))), ra.Box(-1, 1, dim=2))
    plane = ra.Slice.through(np.random.default_rng(0).normal(size=(3, 4)))
    net = ra.load(layers_of((4, 9, 8, 3)))
    yield "slice", ra.enumerate_cells(net, plane)
    yield "incomplete", ra.enumerate_cells(net, plane, max_cells=6)
    # rows that are equal and opposite: several units flip over one facet
    W = np.array([[1.0, 0.5], [-1.0, -0.5], [2.0, 1.0], [0.3, -1.0]])
    yield "twins", ra.enumerate_cells(ra.load([(W, np.zeros(4)), (np.ones((2, 4)), np.zeros(2))]), ra.Box(-1, 1, dim=2))
    wide = ra.load([(np.zeros((3, 2)), np.ones(3)), (np.ones((2, 3)), np.zeros(2))])
    yield "one cell, a tie", ra.enumerate_cells(wide, ra.Box(-1, 1, dim=2))


@pytest.fixture(scope="module", params=range(6))
def case(request):
    name, cx = list(complexes())[request.param]
    return cx, *read(page_of(contents_of(cx), title=name))


def test_patterns_bit_for_bit(case):
    cx, _, arrays = case
    assert np.array_equal(patterns(arrays), cx.patterns)


def test_vertices_facets_and_areas(case):
    cx, told, arrays = case
    assert np.array_equal(arrays["xy"].reshape(-1, 2), cx.vertices.points)
    assert np.array_equal(arrays["corners"], np.diff(cx.vertices.offsets))
    assert np.array_equal(arrays["neighbor"], cx.facets.neighbor)
    assert np.array_equal(arrays["area"], cx.volumes)
    first = np.array([s.start for s in cx.network.pattern_slices().values()])
    inner = cx.facets.level >= 0
    assert np.array_equal(arrays["column"][inner], first[cx.facets.level[inner]] + cx.facets.unit[inner])
    assert np.all(arrays["column"][~inner] == 65535)
    assert (told["n_cells"], told["n_all"], told["is_complete"]) == (cx.n_cells, cx.n_cells, cx.is_complete)


def test_outputs_are_the_maps_in_single_precision(case):
    cx, told, arrays = case
    found = arrays["outputs"].reshape(cx.n_cells, told["n_outputs"], 3)
    assert np.array_equal(found[:, :, :2], cx.affine.A.astype(np.float32))
    for i in range(cx.n_cells):
        middle = cx.polygon(i).mean(axis=0)
        at = cx.affine.A[i] @ middle + cx.affine.b[i]
        np.testing.assert_allclose(found[i, :, 2], at, rtol=1e-6, atol=1e-6 * (1 + np.abs(cx.affine.b[i]).max()))


def test_classes_at_points(case):
    cx, told, arrays = case
    starts = np.concatenate([[0], np.cumsum(arrays["piece.corners"].astype(int))])
    xy = arrays["piece.xy"].reshape(-1, 2)
    area = 0.0
    for p, cell in enumerate(arrays["piece.cell"]):
        shape = xy[starts[p] : starts[p + 1]]
        values = cx.network(cx.domain.embed(shape.mean(axis=0))[None])[0]
        if values.size > 1 and arrays["piece.class"][p] != 65535:
            assert values.argmax() == arrays["piece.class"][p]
        x, y = shape.T
        area += (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
        assert arrays["piece.cell"].tolist() == sorted(arrays["piece.cell"].tolist()), cell
    whole = cx.volumes[np.unique(arrays["piece.cell"])].sum() / told["unit_area"]
    assert area == pytest.approx(whole, abs=1e-12)
    if told["n_outputs"] > 1 and told["classes"]:
        divided = np.isin(np.arange(cx.n_cells), arrays["piece.cell"])
        at = cx.network(cx.domain.embed(cx.interior_points))
        known = ~divided & (arrays["class"] != 65535)
        assert np.array_equal(arrays["class"][known], at.argmax(axis=1)[known])


def test_a_page_of_many_cells_stays_small():
    cx = ra.enumerate_cells(ra.load(layers_of((2, 40, 40, 2))), ra.Box(-1, 1, dim=2))
    arrays = contents_of(cx).arrays
    beyond = sum(a.nbytes for n, a in arrays.items() if n not in FREE and not n.startswith("w"))
    assert cx.n_cells > 500 and beyond < BUDGET * cx.n_cells
    assert arrays["outputs"].nbytes == 12 * 2 * cx.n_cells


def test_the_largest_cells_are_kept_and_said():
    cx = ra.enumerate_cells(ra.load(layers_of((2, 7, 6, 2))), ra.Box(-1, 1, dim=2))
    told, arrays = read(page_of(contents_of(cx, most_cells=10), title="t"))
    kept = arrays["number"].astype(int)
    assert kept.size == 10 and np.sort(cx.volumes)[-10:].sum() == pytest.approx(cx.volumes[kept].sum())
    assert np.array_equal(patterns(arrays), cx.patterns[kept])
    assert f"10 largest of {cx.n_cells:,} cells" in told["left_out"]
    behind = np.concatenate(
        [cx.facets.neighbor[s:e] for s, e in zip(cx.facets.offsets[kept], cx.facets.offsets[kept + 1], strict=True)]
    )
    expected = [-1 if b == -1 else int(np.flatnonzero(kept == b)[0]) if b in kept else LEFT_OUT for b in behind]
    assert arrays["neighbor"].tolist() == expected


def test_the_policy_holds_exactly_the_bundle():
    cx = ra.enumerate_cells(ra.load(layers_of((2, 5, 2))), ra.Box(-1, 1, dim=2))
    text = page_of(contents_of(cx), title="t")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    digest = {base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (script, style)}
    rules = policy(text)
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == rules["connect-src"] == ["'none'"]
    assert {rules["script-src"][0], rules["style-src"][0]} == {f"'sha256-{d}'" for d in digest}
    assert "unsafe" not in str(rules) and "http" not in str(rules)
    assert len(script) < 1_000_000 and "eval(" not in script and "innerHTML" not in script


HOSTILE = "</script><img src=x onerror=alert(1)>&\u2028\"'"


def test_what_models_say_stays_text():
    cx = ra.enumerate_cells(ra.load(layers_of((2, 5, 2)), class_names=[HOSTILE, "b"]), ra.Box(-1, 1, dim=2))
    text = page_of(contents_of(cx, [Mark(HOSTILE, np.zeros(2))]), title=HOSTILE, report=HOSTILE)
    assert "<img" not in text and text.count("</script>") == 3
    told, _ = read(text)
    assert told["title"] == told["marks"][0]["label"] == told["classes"][0]["name"] == HOSTILE


def test_refusals(tmp_path):
    net = ra.load(layers_of((3, 5, 2)))
    solid = ra.enumerate_cells(net, ra.Box(-1, 1, dim=3))
    with pytest.raises(DimensionError, match=r"dimension 3 but an atlas is of a plane.*Slice"):
        solid.to_html(tmp_path / "a.html")
    flat = ra.load(layers_of((2, 5, 2)))
    with pytest.raises(DomainError, match="which has no end"):
        ra.enumerate_cells(flat, ra.Space(2)).to_html(tmp_path / "a.html")
    with pytest.raises(ArgumentError, match="cannot be written"):
        ra.enumerate_cells(flat, ra.Box(-1, 1, dim=2)).to_html(tmp_path / "no" / "a.html")
    with pytest.raises(ArgumentError, match="is a int"):
        write_page(3, tmp_path / "a.html")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_equal_bytes_each_time(tmp_path):
    cx = ra.enumerate_cells(ra.load(layers_of((2, 7, 6, 2))), ra.Box(-1, 1, dim=2))
    for name in ("a", "b"):
        cx.to_html(tmp_path / name, title="t")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_importing_the_library_imports_no_atlas():
    import subprocess
    import sys

    code = "import sys, reluatlas; print([m for m in sys.modules if m.startswith('reluatlas.atlas')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
