"""Runs that go on from a checkpoint: after a kill, after stops, and never from the file of another run."""

from __future__ import annotations

import sqlite3
import time

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ResultFileError
from reluatlas.subdivision.items import FIRST_BUDGET, Found
from reluatlas.subdivision.polygons import worker as plane
from reluatlas.subdivision.polytopes import worker
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner import frontier
from reluatlas.subdivision.runner.checkpoint import RunFile
from reluatlas.subdivision.runner.tally import Tally
from tests.killed import make_small, network, start_and_kill, work

BOX = ra.Box(-1, 1, dim=2)
RUNS = [("count", "2-96-96-96-1", 4.0), ("collect", "2-48-48-48-2", 4.0), ("count", "3-24-24-1", 2.0),
        ("collect", "3-24-24-2", 2.0)]  # fmt: skip


@pytest.fixture
def evaluated(monkeypatch):
    """What each worker of this process found, item by item."""
    numbers = []
    for kind in (plane.Worker, worker.Worker):

        def do(self, *arguments, inner=kind.do, **named):
            answer = inner(self, *arguments, **named)
            numbers.append(answer.n_cells)
            return answer

        monkeypatch.setattr(kind, "do", do)
    return numbers


@pytest.fixture
def small(monkeypatch):
    """Small items, each of them written."""
    make_small(monkeypatch.setattr)


def assert_same(run, other, *, exactly):
    """Two runs found the same cells in the same order, and met as many doubts."""
    assert (run.n_cells, run.stopped_by) == (other.n_cells, other.stopped_by) and len(run.found) == len(other.found)
    assert run.volume == pytest.approx(other.volume, rel=1e-12)
    if exactly:
        assert (run.n_escalated, run.visits, run.doubtful_visits) == (
            other.n_escalated, other.visits, other.doubtful_visits
        )  # fmt: skip
    for a, b in zip(run.found, other.found, strict=True):
        assert a.id == b.id and a.n_cells == b.n_cells
        for x, y in zip(a.cells, b.cells, strict=True):
            assert x.dtype == y.dtype and np.array_equal(x, y)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("does", "shape", "side"), RUNS)
def test_a_killed_run_goes_on_to_the_same_answer(does, shape, side, jobs, tmp_path, evaluated, small):
    whole = work(does, shape, side, jobs=jobs)
    n_whole = sum(evaluated)
    assert n_whole == whole.n_cells > 5000
    start_and_kill(does, shape, side, jobs, tmp_path / "run", share=0.6)
    evaluated.clear()
    again = work(does, shape, side, jobs=jobs, checkpoint=tmp_path / "run")
    assert 0 < sum(evaluated) < 0.6 * n_whole
    assert_same(again, whole, exactly=True)
    evaluated.clear()
    assert_same(work(does, shape, side, checkpoint=tmp_path / "run"), whole, exactly=True)
    assert evaluated == []


def test_a_run_killed_twice_gives_the_same_file(tmp_path, small):
    net = network("2-48-48-48-2")
    box = ra.Box(-4, 4, dim=2)
    for share in (0.3, 0.7):
        start_and_kill("collect", "2-48-48-48-2", 4.0, 1, tmp_path / "run", share=share)
    ra.enumerate_cells(net, box, checkpoint=tmp_path / "run").save(tmp_path / "parts.npz")
    ra.enumerate_cells(net, box).save(tmp_path / "whole.npz")
    assert (tmp_path / "parts.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


@pytest.mark.parametrize("jobs", [1, 2])
def test_limits_of_cells_can_be_raised_from_run_to_run(jobs, tmp_path, evaluated):
    net = network("2-48-48-48-2")
    whole = ra.enumerate_cells(net, BOX)
    for most in (100, 1000, whole.n_cells - 1):
        part = ra.enumerate_cells(net, BOX, max_cells=most, jobs=jobs, checkpoint=tmp_path / "run")
        assert part.n_cells == most and part.stopped_by == "max_cells"
        assert np.array_equal(part.patterns, whole.patterns[:most])
    evaluated.clear()
    fewer = ra.enumerate_cells(net, BOX, max_cells=100, checkpoint=tmp_path / "run")
    assert fewer.n_cells == 100 and evaluated == []
    last = ra.enumerate_cells(net, BOX, jobs=jobs, checkpoint=tmp_path / "run")
    assert last.is_complete and last.exactness == whole.exactness
    assert np.array_equal(last.affine.A, whole.affine.A) and np.array_equal(last.patterns, whole.patterns)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("does", ["count", "collect"])
def test_stops_by_time_and_interrupts_lose_and_repeat_nothing(does, jobs, tmp_path, evaluated, small):
    shape, side = "2-96-96-96-1", 4.0
    whole = work(does, shape, side, jobs=jobs)
    evaluated.clear()

    def interrupting(n_cells, share):
        if len(evaluated) > before + 60:
            raise KeyboardInterrupt

    def dawdling(n_cells, share):
        if len(evaluated) > before + 60:
            time.sleep(some)

    stops, before = [], 0
    # the limit is many pieces of work long, however busy the machine, and comes after some of them: cells of a first
    # piece that is cut short may come in another order
    some = max(1.0, 2 * whole.seconds)
    timed = {"max_seconds": some, "progress": dawdling}
    for limits in (timed, {"progress": interrupting}, timed):
        before = len(evaluated)
        part = work(does, shape, side, jobs=jobs, checkpoint=tmp_path / "run", **limits)
        assert part.n_cells < whole.n_cells
        assert sum(f.n_cells for f in part.found) == (part.n_cells if does == "collect" else 0)
        stops.append(part.stopped_by)
    assert stops == ["max_seconds", "interrupt", "max_seconds"]
    last = work(does, shape, side, jobs=jobs, checkpoint=tmp_path / "run")
    assert_same(last, whole, exactly=does == "collect")
    # a run that goes on does the first item again, to decide on a local network as the first run did
    first = 3 * FIRST_BUDGET
    assert sum(evaluated) <= (whole.n_cells + first if does == "count" else 1.5 * whole.n_cells + first)


def test_runs_too_short_for_one_item_get_further(tmp_path, monkeypatch):
    whole = work("collect", "3-16-16-2", 2.0, jobs=1)
    found = []

    def cut_short(self, item, budget, stop, *, inner=worker.Worker.do, **named):
        answer = inner(self, item, min(budget, 1500), stop, **named)
        stop[0] = 1
        return answer

    monkeypatch.setattr(worker.Worker, "do", cut_short)
    while not found or found[-1].stopped_by:
        found.append(work("collect", "3-16-16-2", 2.0, jobs=1, checkpoint=tmp_path / "run"))
        assert len(found) < 200
    assert len(found) > 3 and [f.n_cells for f in found] == sorted(f.n_cells for f in found)
    assert found[-1].n_cells == whole.n_cells
    patterns = [np.concatenate([f.cells.pattern for f in r.found]) for r in (found[-1], whole)]
    assert {p.tobytes() for p in patterns[0]} == {p.tobytes() for p in patterns[1]}


def test_an_interrupt_within_bookkeeping_leaves_the_file_as_it_was(tmp_path, monkeypatch, small):
    whole = work("count", "3-24-24-1", 1.0, jobs=1)
    calls = []

    def add(self, answer, inner=Tally.add):
        calls.append(answer)
        inner(self, answer)
        if len(calls) == 30:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Tally, "add", add)
        assert work("count", "3-24-24-1", 1.0, jobs=1, checkpoint=tmp_path / "run").stopped_by == "interrupt"
    assert_same(work("count", "3-24-24-1", 1.0, jobs=1, checkpoint=tmp_path / "run"), whole, exactly=True)


def test_space_and_slices_go_on_as_well(tmp_path):
    net = network("3-8-8-1")
    plane = ra.Slice(np.array([0.1, 0.2, 0.3]), np.eye(3)[:2] + 0.25, box=ra.Box(-2, 2, dim=2))
    for name, domain in (("space", ra.Space(3)), ("slice", plane), ("line", ra.Slice([0, 0, 0], np.ones((1, 3)),
                         box=ra.Box(-3, 3, dim=1)))):  # fmt: skip
        part = ra.count_cells(net, domain, max_cells=5, checkpoint=tmp_path / name)
        whole = ra.count_cells(net, domain)
        last = ra.count_cells(net, domain, checkpoint=tmp_path / name)
        assert last.is_complete and last.n_cells == whole.n_cells >= part.n_cells >= 5


def refusal(tmp_path, **other):
    given = {"net": network("2-24-24-1"), "domain": BOX, "certain": True} | other
    with pytest.raises(ResultFileError) as caught:
        ra.count_cells(given["net"], given["domain"], certain=given["certain"], checkpoint=tmp_path / "run")
    return str(caught.value)


def test_the_file_of_another_run_is_refused(tmp_path):
    ra.count_cells(network("2-24-24-1"), BOX, max_cells=1, checkpoint=tmp_path / "run")
    before = (tmp_path / "run").read_bytes()
    assert "of another network" in refusal(tmp_path, net=network("2-24-24-1", seed=1))
    text = refusal(tmp_path, domain=ra.Box(-1, np.nextafter(1, 2), dim=2))
    assert "another domain, Box(low=[-1, -1], high=[1, 1])" in text and "\n" not in text
    assert "`certain=True`" in refusal(tmp_path, certain=False)
    with pytest.raises(ResultFileError, match="that counts cells; one that collects them"):
        ra.enumerate_cells(network("2-24-24-1"), BOX, checkpoint=tmp_path / "run")
    assert (tmp_path / "run").read_bytes() == before
    # names and notes do not make another network
    net = network("2-24-24-1")
    renamed = ra.Network(net.nodes, net.output, net.notes, "elsewhere.onnx")
    assert ra.count_cells(renamed, BOX, checkpoint=tmp_path / "run").is_complete


def test_files_of_other_kinds_are_refused_and_left_alone(tmp_path):
    (tmp_path / "run").write_bytes(b"no database" * 1000)
    assert "is no file of a run, or is damaged" in refusal(tmp_path)
    (tmp_path / "run").unlink()
    ra.explore(network("2-24-24-1"), [0.1, 0.2], max_cells=3, checkpoint=tmp_path / "run")
    before = (tmp_path / "run").read_bytes()
    assert "a file of another kind" in refusal(tmp_path)
    assert (tmp_path / "run").read_bytes() == before
    (tmp_path / "run").unlink()
    (tmp_path / "run").mkdir()
    assert "unable to open" in refusal(tmp_path)


def test_another_version_is_refused(tmp_path):
    ra.count_cells(network("2-24-24-1"), BOX, max_cells=1, checkpoint=tmp_path / "run")
    with sqlite3.connect(tmp_path / "run") as base:
        base.execute("UPDATE about SET value = '99' WHERE name = 'format'")
    base.close()
    assert "format version 99; this reluatlas reads version 1" in refusal(tmp_path)


def test_a_file_in_use_is_refused(tmp_path):
    net = network("2-24-24-1")
    ra.count_cells(net, BOX, max_cells=1, checkpoint=tmp_path / "run")
    file = RunFile(tmp_path / "run", lower(net, BOX), collect=False)
    assert "in use by another run" in refusal(tmp_path)
    file.close()
    assert ra.count_cells(net, BOX, checkpoint=tmp_path / "run").is_complete


@pytest.mark.parametrize("does", ["count", "collect"])
def test_a_damaged_file_is_refused_or_damaged_where_nothing_is(does, tmp_path, small):
    shape, side = "3-10-10-2", 1.0
    whole = work(does, shape, side, jobs=1)
    work(does, shape, side, jobs=1, max_cells=100, checkpoint=tmp_path / "run")
    content = (tmp_path / "run").read_bytes()
    rng = np.random.default_rng(0)
    n_refused = 0
    used = np.flatnonzero(np.frombuffer(content, dtype=np.uint8))
    for place in rng.choice(used, 60, replace=False).tolist():
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            assert_same(work(does, shape, side, jobs=1, checkpoint=tmp_path / "damaged"), whole, exactly=True)
        except ResultFileError as error:
            n_refused += 1
            assert "checkpoint=" in str(error) and "\n" not in str(error)
        for left in tmp_path.glob("damaged*"):
            left.unlink()
    assert n_refused >= 10
    (tmp_path / "run").write_bytes(content[: len(content) // 2])
    with pytest.raises(ResultFileError):
        work(does, shape, side, jobs=1, checkpoint=tmp_path / "run")


def test_a_lost_row_is_noticed(tmp_path):
    for does in ("count", "collect"):
        work(does, "3-10-10-2", 1.0, jobs=1, max_cells=100, checkpoint=tmp_path / does)
        with sqlite3.connect(tmp_path / does) as base:
            table = "found" if does == "collect" else "open"
            base.execute(f"DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table})")
        base.close()
        with pytest.raises(ResultFileError, match="rows do not agree"):
            work(does, "3-10-10-2", 1.0, jobs=1, checkpoint=tmp_path / does)


def test_a_file_that_cannot_be_written_says_so(tmp_path):
    net = network("2-24-24-1")
    ra.count_cells(net, BOX, max_cells=1, checkpoint=tmp_path / "run")
    file = RunFile(tmp_path / "run", lower(net, BOX), collect=False)
    file._base.execute("PRAGMA query_only=ON")
    with pytest.raises(ResultFileError, match="cannot be written"):
        file.write(frontier.Step(), Tally())
    file.close()


def test_the_tally_keeps_nothing_of_what_is_ready():
    tally = Tally()
    for id, n in (((0,), 3), ((2,), 5), ((1, 0), 7), ((1,), 11)):
        tally.add(Found(id, n, 0.5, None, [], np.ones(8, dtype=np.int64)))
    tally.settle((1, 1))
    assert tally.n_ready == 21 and tally.early == [((2,), 5)]
    tally.settle(None)
    assert (tally.n_ready, tally.n_cells, tally.volume) == (26, 26, 2.0) and not tally.early
    assert tally.counters.tolist() == [4] * 8


def test_memory_and_file_of_a_count_stay_small(tmp_path, small):
    n_items, sizes = [], []
    for side in (0.5, 4.0):
        path = tmp_path / f"{side}"
        n_items.append(work("count", "2-96-96-96-1", side, jobs=1, checkpoint=path).n_cells)
        sizes.append(path.stat().st_size)
    assert n_items[1] > 5 * n_items[0] and sizes[1] < 2 * sizes[0] + 2**17
