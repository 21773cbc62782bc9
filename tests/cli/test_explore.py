"""`reluatlas explore`: what is printed, what is written, how a search goes on, what is refused."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import numpy as np
import pytest

import reluatlas as ra
from tests.cli.run import dense_layers, write_onnx
from tests.cli.test_bad_input import refused


def test_numbers_are_those_of_the_library(command, model, points):
    outcome = command("explore", model, "--data", "X.npy", "--max-cells", "90", "--json")
    assert outcome.code == 3 and "Incomplete: the limit of cells was reached" in outcome.err
    net, given = ra.load(model), outcome.numbers
    found = ra.explore(net, points, max_cells=90)
    assert (given["n_cells"], given["n_edges"], given["stopped_by"]) == (90, len(found.edges), "max_cells")
    assert given["n_expanded"] == int(found.is_expanded.sum()) and not given["is_complete"]
    assert [row["n_cells"] for row in given["by_depth"]] == np.bincount(found.depth).tolist()
    assert sum(row["n_cells"] for row in given["by_class"]) == 90
    assert [start["cell"] for start in given["starts"]] == found.starts.tolist()
    assert [start["class"] for start in given["starts"]] == net(points).argmax(axis=1).tolist()
    paths = {(i, j): ra.trace(net, ra.Segment(points[i], points[j])) for i, j in ((0, 1), (0, 2), (1, 2))}
    assert [pair["n_pieces"] for pair in given["between"]] == [path.n_pieces for path in paths.values()]
    for pair, (i, j) in zip(given["between"], paths, strict=True):
        assert pair["hamming"] == found.hamming(found.starts[i], found.starts[j])
        way = found.path(found.starts[i], found.starts[j])
        assert pair["n_steps"] == (None if way is None else len(way) - 1)


def test_all_cells_of_a_box(command, tmp_path):
    model = write_onnx(tmp_path / "plane.onnx", dense_layers((2, 8, 6, 3)))
    outcome = command("explore", model, "--at", "0.1,0.2", "--box", "-1,1", "--max-cells", "1000", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    cx = ra.enumerate_cells(ra.load(model), ra.Box(-1, 1, dim=2))
    assert outcome.numbers["n_cells"] == outcome.numbers["n_expanded"] == cx.n_cells
    assert outcome.numbers["n_edges"] == cx.dual_graph().n_edges and outcome.numbers["between"] == []


def test_along_a_line(command, model, points, tmp_path):
    outcome = command("explore", model, "--data", "a.npy", "--target", "X.npy:2", "--max-cells", "500", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    way = ra.explore(ra.load(model), points[0], target=points[2], max_cells=500)
    assert outcome.numbers["n_cells"] == way.n_cells and outcome.numbers["target"] == "X[2]"
    (pair,) = outcome.numbers["between"]
    assert pair["n_steps"] == way.n_cells - 1 == pair["n_pieces"] - 1 and pair["hamming"] == way.hamming(0, -1)
    text = ",".join(map(repr, points[2].tolist()))
    typed = command("explore", model, "--data", "a.npy", "--target", text, "--max-cells", "500", "--json")
    assert typed.numbers["by_depth"] == outcome.numbers["by_depth"]
    short = command("explore", model, "--data", "a.npy", "--target", "X.npy:2", "--max-cells", "2")
    assert short.code == 3 and "before X[2] was reached" in short.err and "INCOMPLETE" in short.out


def test_a_search_goes_on_from_its_checkpoint(command, model, points, tmp_path):
    whole = command("explore", model, "--data", "X.npy", "--max-cells", "60", "--json").numbers
    for most in ("7", "25", "60"):
        outcome = command(
            "explore", model, "--data", "X.npy", "--max-cells", most, "--resume", "search.sqlite", "--json"
        )
        assert outcome.code == 3 and outcome.numbers["n_cells"] == int(most)
    assert {**outcome.numbers, "seconds": 0} == {**whole, "seconds": 0}
    says = ["`--resume 'search.sqlite'`", "from other points", "delete the file"]
    refused(command, "explore", model, "--data", "a.npy", "--max-cells", "9", "--resume", "search.sqlite", says=says)
    (tmp_path / "junk").write_bytes(b"no database" * 1000)
    says = ["`--resume 'junk'`", "no file of a search"]
    refused(command, "explore", model, "--data", "a.npy", "--max-cells", "9", "--resume", "junk", says=says)
    with closing(sqlite3.connect(tmp_path / "others")) as base, base:
        base.execute("CREATE TABLE mine (x)")
    before = (tmp_path / "others").read_bytes()
    says = ["`--resume 'others'`", "a file of another kind"]
    refused(command, "explore", model, "--data", "a.npy", "--max-cells", "9", "--resume", "others", says=says)
    assert (tmp_path / "others").read_bytes() == before


@pytest.mark.parametrize("line", [False, True])
def test_a_report(command, model, points, tmp_path, line):
    asked = ["--data", "a.npy", "--target", "b.npy"] if line else ["--data", "X.npy"]
    outcome = command("explore", model, *asked, "--max-cells", "80", "--out", "result", "--quiet")
    assert (outcome.code, outcome.err) == (0 if line else 3, "")
    folder, figure = tmp_path / "result", "line" if line else "graph"
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert names == {
        "report.html", "exploration.json", "exploration.npz", f"figures/{figure}.png", f"figures/{figure}.svg"
    }  # fmt: skip
    net = ra.load(model)
    target = points[1] if line else None
    found = ra.explore(net, points[:1] if line else points, target=target, max_cells=80)
    with np.load(folder / "exploration.npz", allow_pickle=False) as kept:
        for name in ("patterns", "points", "starts", "depth", "is_expanded", "classes", "edges"):
            assert np.array_equal(kept[name], getattr(found, name)), name
        assert json.loads(bytes(kept["head"]))["labels"] == (["a"] if line else ["X[0]", "X[1]", "X[2]"])
    assert np.array_equal(net.patterns(found.points), found.patterns)
    numbers = json.loads((folder / "exploration.json").read_text(encoding="utf-8"))
    assert numbers["n_cells"] == found.n_cells and numbers["command"] == "explore"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Hamming distance" in page and "ra.explore(net" in page and "http" not in page.replace("http-equiv", "")
    assert ("Incomplete" in page) != line


def test_an_interrupt_gives_what_was_found(command, model, points, monkeypatch):
    import reluatlas.cells.explore as home

    honest, n = home._Search._expand, 0

    def interrupted(self, i):
        nonlocal n
        n += 1
        if n == 3:
            raise KeyboardInterrupt
        honest(self, i)

    monkeypatch.setattr(home._Search, "_expand", interrupted)
    outcome = command("explore", model, "--data", "a.npy", "--max-cells", "500", "--json")
    assert outcome.code == 130 and "interrupted" in outcome.err and outcome.numbers["n_expanded"] == 2


def test_bad_input(command, model, points, tmp_path):
    ask = ("explore", model, "--max-cells", "9")
    refused(command, "explore", model, "--data", "X.npy", says=["--max-cells", "explore --help"])
    refused(command, *ask, says=["no point to start from", "--data", "--at"])
    refused(command, *ask, "--data", "X.npy", "--target", "a.npy", says=["3 points", "one start"])
    refused(command, *ask, "--data", "a.npy", "--target", "X.npy", says=["`--target X.npy` names 3 points", "X.npy:0"])
    refused(command, *ask, "--data", "a.npy", "--target", "1,2", says=["`--target 1,2` has 2 numbers"])
    refused(command, *ask, "--data", "a.npy", "--target", "there", says=["`--target there` is not numbers"])
    refused(command, *ask, "--data", "X.npy", "--box", "0,0.1", says=["the point X[0] is outside of `--box`"])
    refused(command, *ask, "--data", "a.npy", "--resume", "no/such", says=["lies in `no`, which is no folder"])
    refused(command, *ask, "--data", "a.npy", "--resume", tmp_path, says=["is a folder"])
    refused(command, "explore", model, "--data", "a.npy", "--max-cells", "0", says=["--max-cells", "at least 1"])
    octants = write_onnx(tmp_path / "octants.onnx", [(np.eye(3), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])
    says = ["the point (0, 1, 1) lies on a face", "fc0[0]", "reluatlas at"]
    refused(command, "explore", octants, "--at", "0,1,1", "--max-cells", "9", says=says)
    refused(command, "explore", octants, "--at", "1,1,1", "--target", "0,1,1", "--max-cells", "9", says=says)
