"""`reluatlas at`: what is printed, what is written and can be checked again, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.certify.archive import check_file, load_certificates
from reluatlas.cli import at_search
from tests.cli.run import write_onnx
from tests.cli.test_bad_input import refused


@pytest.fixture
def crossing(tmp_path):
    """Return a network whose first layer is the coordinates: 2^3 cells, the octants."""
    return write_onnx(tmp_path / "octants.onnx", [(np.eye(3), np.zeros(3)), (np.ones((1, 3)), np.zeros(1))])


@pytest.mark.parametrize("box", [(), ("--box", "-2,2")])
def test_numbers_are_those_of_the_library(command, model, points, box):
    outcome = command("at", model, "--data", "X.npy", "--json", *box)
    assert (outcome.code, outcome.err) == (0, "")
    given, net = outcome.numbers, ra.load(model)
    domain = ra.Box(-2, 2, dim=6) if box else None
    assert given["is_complete"] and given["n_points"] == 3 and given["exactness"]["status"] == "exact"
    assert given["n_cells"] == len(np.unique(net.patterns(points), axis=0))
    for x, told in zip(points, given["points"], strict=True):
        cell, (record,) = ra.cell_at(net, x, domain), told["cells"]
        assert record["pattern"] == cell.pattern.tolist() == net.patterns(x).tolist()
        A, b = np.array(record["affine"]["A"]), np.array(record["affine"]["b"])
        assert np.allclose(A @ x + b, net(x)) and told["class"] == int(net(x).argmax())
        assert (record["n_facets"], record["n_rows"]) == (len(cell.facets), len(cell.halfspaces))
        assert record["is_bounded"] == cell.is_bounded and (cell.is_bounded or not box)
        if box:
            assert record["inradius"] == cell.inradius and record["chebyshev_center"] == cell.chebyshev_center.tolist()
        inner = np.where(cell.facets.is_domain, np.inf, cell.facets.distances)
        nearest = record["nearest_facet"]
        assert nearest["distance"] == inner.min() and nearest["is_lower_bound"] == (
            cell.facets.distances.min() < inner.min()
        )
        assert nearest["units"][0]["column"] == cell.facets.owners[int(inner.argmin())][0].column
        other, in_cell = record["nearest_other_class"], cell.nearest_other_class()
        assert other["lower_bound"] <= other["upper_bound"] and other["class"] != told["class"]
        assert in_cell is None or other["lower_bound"] <= in_cell.distance * (1 + 1e-9)
        assert int(net(np.array(other["witness"])).argmax()) == other["class"]
        flips = {tuple(n.flips.tolist()) for n in cell.neighbors()}
        assert {tuple(n["flips"]) for n in record["neighbors"]} == flips
        assert record["n_neighbors"] == len(cell.neighbors())


def test_a_step_over_the_nearest_facet_flips_what_is_said(command, model, points):
    (told,) = command("at", model, "--data", "a.npy", "--json").numbers["points"]
    net, (record,) = ra.load(model), told["cells"]
    cell = ra.cell_at(net, points[0])
    i = int(cell.facets.distances.argmin())
    row = cell.halfspaces.A[cell.facets.rows[i]]
    for share, flipped in ((0.999, []), (1.001, record["neighbors"][0]["flips"])):
        step = points[0] + share * record["nearest_facet"]["distance"] * row / np.linalg.norm(row)
        assert np.flatnonzero(net.patterns(step) != cell.pattern).tolist() == flipped


def test_tables_typed_points_and_rows(command, model, points):
    by_table = command("at", model, "--data", "X.csv:2,0", "--json").numbers["points"]
    by_rows = command("at", "--data", "X.npy:2,0", model, "--json").numbers["points"]
    typed = [arg for i in (2, 0) for arg in ("--at", ",".join(map(repr, points[i].tolist())))]
    by_hand = command("at", model, *typed, "--json").numbers["points"]
    assert [p.pop("label") for p in by_table] == [p.pop("label") for p in by_rows] == ["X[2]", "X[0]"]
    assert by_hand[0].pop("label").startswith("(") and by_hand[1].pop("label").endswith(", ...)")
    assert by_table == by_rows == by_hand


def test_one_cell_in_full_and_several_in_a_table(command, model, points):
    one = command("at", model, "--data", "a.npy").out
    assert "a: class" in one and "nearest facet" in one and "fc0[" in one and "exact: every facet is proved" in one
    many = command("at", model, "--data", "a.npy", "b.npy", "c.npy", "--check").out
    assert "where it turns" in many and "3 in" in many and "3 certificates checked from the weights" in many


def test_a_report_and_certificates_that_can_be_checked_again(command, model, points, tmp_path):
    outcome = command("at", model, "--data", "X.npy", "--box", "-1,1", "--out", "result", "--quiet", "--check")
    assert (outcome.code, outcome.err) == (0, "")
    folder = tmp_path / "result"
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert names == {
        "report.html", "points.json", "points.npz", "certificates.npz", "figures/facets.png", "figures/facets.svg"
    }  # fmt: skip
    net, box = ra.load(model), ra.Box(-1, 1, dim=6)
    reports = check_file(net, folder / "certificates.npz")
    assert len(reports) == 3 and all(reports)
    cells = [ra.cell_at(net, x, box) for x in points]
    assert [r.n_facets for r in reports] == [len(cell.facets) for cell in cells]
    domain, given = load_certificates(folder / "certificates.npz")
    assert repr(domain) == repr(box) and np.array_equal([c.pattern for c in given], net.patterns(points))
    with np.load(folder / "points.npz", allow_pickle=False) as kept:
        assert np.array_equal(kept["x"], points) and np.array_equal(kept["patterns"], net.patterns(points))
        assert np.allclose(np.einsum("cmn,cn->cm", kept["A"], points) + kept["b"], net(points))
        assert np.diff(kept["facet_offsets"]).tolist() == [len(cell.facets) for cell in cells]
        assert kept["facet_distance"][kept["facet_offsets"][:-1]].tolist() == [c.facets.distances.min() for c in cells]
        assert int(np.sum(kept["facet_column"] == -1)) == sum(int(c.facets.is_domain.sum()) for c in cells)
    numbers = json.loads((folder / "points.json").read_text(encoding="utf-8"))
    assert numbers["n_checked"] == 3 and all(p["cells"][0]["check"]["is_ok"] for p in numbers["points"])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "ra.cell_at(net" in page and "check_file" in page and "http" not in page.replace("http-equiv", "")
    assert command("at", model, "--data", "a.npy", "--out", "result").code == 0  # replaces it


def test_a_certificate_that_does_not_hold_is_no_answer(command, model, points, monkeypatch):
    import reluatlas.cells.certificate as home

    honest = home.certificate_of

    def wrong(cell):
        given = honest(cell)
        given.facets.pop()
        return given

    monkeypatch.setattr(home, "certificate_of", wrong)
    assert command("at", model, "--data", "a.npy").code == 0  # not asked for
    outcome = command("at", model, "--data", "a.npy", "--check")
    assert outcome.code == 1 and "the certificate of the cell at a does not hold" in outcome.err


def test_a_point_where_cells_meet(command, crossing):
    outcome = command("at", crossing, "--at", "0,0,1", "--json")
    assert outcome.code == 0
    (told,) = outcome.numbers["points"]
    assert told["is_on_face"] and told["is_complete"] and outcome.numbers["n_on_face"] == 1
    patterns = {tuple(cell["pattern"]) for cell in told["cells"]}
    assert patterns == {(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)}
    assert all(cell["nearest_facet"]["distance"] == 0 for cell in told["cells"])
    some = command("at", crossing, "--at", "0,0,0", "--max-cells", "3", "--json")
    assert some.code == 3 and "more cells meet than the limit" in some.err
    assert len(some.numbers["points"][0]["cells"]) == 3 and some.numbers["stopped_by"] == "max_cells"
    exactly = command("at", crossing, "--at", "0,0,0", "--max-cells", "8", "--out", "result")
    assert exactly.code == 0 and "1 in 8 cells, 1 of them on faces" in exactly.out
    # only one cell of the box holds its corner
    assert len(command("at", crossing, "--at", "0,0,0", "--box", "0,1", "--json").numbers["points"][0]["cells"]) == 1


def test_the_answer_of_a_point_on_a_face_comes_first_and_at_once(command, crossing):
    outcome = command("at", crossing, "--at", "0,0,1", "--max-seconds", "1e-9")
    assert outcome.code == 3 and outcome.err == (
        "Incomplete: the limit of time was reached; nothing is told of the point's cells and facets.\n"
    )
    line = outcome.out.splitlines()[2]
    assert line.startswith(
        "(0, 0, 1): class 1, runner-up 0, margin 1, map A = [[1, 1, 1]], b = [0]; on a face: 2 units"
    )
    whole = command("at", crossing, "--at", "0,0,1", "--json")
    (answer,) = whole.numbers["answers"]
    assert answer["is_on_face"] and answer["ties"] == ["fc0[0]", "fc0[1]"]
    assert (answer["class"], answer["runner_up"], answer["margin"]) == (1, 0, 1.0)
    maps = ra.load(crossing).affine_at([0.0, 0.0, 1.0])
    assert answer["affine"] == {"A": maps.A[0].tolist(), "b": maps.b[0].tolist()}
    told = command("at", crossing, "--at", "0,0,1").out
    assert told.index("runner-up") < told.index("facets") and told.count(", as above") == 1
    many = command("at", crossing, "--at", "0,0,1", "--at", "1,1,1", "--max-seconds", "1e-9")
    assert "of 0 of 2 points." in many.err and "(1, 1, 1): class 1, runner-up 0, margin 3" in many.out
    assert "the time was over before its map" in many.out


def test_a_limit_of_time_gives_what_was_found(command, model, points, monkeypatch):
    outcome = command("at", model, "--data", "X.npy", "--max-seconds", "1e-9", "--out", "result")
    assert outcome.code == 3 and "Incomplete" in outcome.err and "INCOMPLETE" in outcome.out
    # the time is over after the first point
    seen = at_search.Search._look

    def slow(self, point, deadline):
        return seen(self, point, deadline) and len(self.found) < 2

    monkeypatch.setattr(at_search.Search, "_look", slow)
    outcome = command("at", model, "--data", "X.npy", "--json", "--out", "result")
    assert outcome.code == 3 and outcome.numbers["stopped_by"] == "max_seconds" and outcome.numbers["n_points"] == 2


def test_rows_that_were_not_decided_are_said_to_be_so(command, model, points, monkeypatch):
    import reluatlas.cells.record as home
    from reluatlas.geometry.halfspaces.facets import Found

    honest = home.find_facets

    def cut_short(system):
        whole = honest(system)
        rest = [f.constraints for f in whole.facets[4:]] + [group.constraints for group in whole.implied]
        return Found(whole.facets[:4], [], rest)

    monkeypatch.setattr(home, "find_facets", cut_short)
    net = ra.load(model)
    cell = ra.cell_at(net, points[0])
    assert cell.facets.n_undecided == len(cell.halfspaces) - 4
    nearest = ((cell.halfspaces.b - cell.halfspaces.A @ points[0]) / np.linalg.norm(cell.halfspaces.A, axis=1)).min()
    outcome = command("at", model, "--data", "a.npy", "--json", "--out", "result")
    (record,) = outcome.numbers["points"][0]["cells"]
    assert record["n_undecided"] == cell.facets.n_undecided and record["is_bounded"] is None
    assert record["inradius"] is None and record["nearest_other_class"]["lower_bound"] >= 0
    assert np.isclose(record["nearest_facet"]["distance"], nearest) and record["exactness"]["status"] == "incomplete"
    assert "undecided" in command("at", model, "--data", "a.npy").out


def test_an_interrupt_gives_what_was_found(command, model, points, monkeypatch):
    from reluatlas.report import cell_facts

    honest, n = cell_facts.of_cell, 0

    def interrupted(*arguments):
        nonlocal n
        n += 1
        if n == 3:
            raise KeyboardInterrupt
        return honest(*arguments)

    monkeypatch.setattr(cell_facts, "of_cell", interrupted)
    outcome = command("at", model, "--data", "X.npy", "--json", "--out", "result")
    assert outcome.code == 130 and "interrupted; cells and facets are told in full of 2 of 3 points." in outcome.err
    assert outcome.numbers["n_points"] == 2 and len(check_file(ra.load(model), "result/certificates.npz")) == 2


def test_bad_input(command, model, points, tmp_path):
    refused(command, "at", model, says=["no point was given", "--data", "--at"])
    refused(command, "at", model, "--data", "missing.npy", says=["`--data missing.npy`", "there is no such file"])
    refused(command, "at", model, "--data", "X.npy:7", says=["row 7", "3 rows"])
    refused(command, "at", model, "--data", "points.txt", says=["is not a .npy, .npz, .csv or .png file"])
    refused(command, "at", model, "--at", "1,2", says=["has 2 numbers", "6 inputs"])
    refused(command, "at", model, "--at", "1,2,x,4,5,6", says=["not numbers with commas"])
    refused(command, "at", model, "--at", "1,2,3,4,5,nan", says=["NaN"])
    refused(command, "at", model, "--data", "X.npy", "--box", "0,0.1", says=["the point X[0] is outside of `--box`"])
    refused(command, "at", model, "--data", "X.npy", "--box", "0,1,2", says=["3 numbers", "pairs"])
    refused(command, "at", model, "--data", "X.npy", "--box", "0,1,2,3", says=["2 sides", "6 inputs"])
    refused(command, "at", model, "--data", "X.npy", "--max-cells", "0", says=["--max-cells", "at least 1"])
    refused(command, "at", model, "--data", "X.npy", "--max-seconds", "0", says=["--max-seconds", "above 0"])
    refused(command, "at", "missing.onnx", "--data", "X.npy", says=["`missing.onnx` does not exist"])
