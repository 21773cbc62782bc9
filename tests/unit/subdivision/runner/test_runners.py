"""What every runner promises: the answers of one item after another, each item back once, and an end after stop."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.answers.limits import Limits
from reluatlas.subdivision.runner import inline, threads
from reluatlas.subdivision.runner.contract import Workers
from reluatlas.subdivision.runner.inline import Inline
from reluatlas.subdivision.runner.kinds import kind_of
from reluatlas.subdivision.runner.run import run
from reluatlas.subdivision.runner.threads import Threads
from tests.killed import lowered

RUNNERS: dict[str, tuple[Workers, int]] = {"inline": (Inline(), 1), "one": (Threads(), 1), "three": (Threads(), 3)}


@pytest.fixture(params=RUNNERS)
def workers(request, monkeypatch):
    """Runners with small items, and their jobs."""
    for module in (inline, threads):
        monkeypatch.setattr(module, "BUDGET", 200)
    monkeypatch.setattr(threads, "COUNT_BUDGET", 300)
    return RUNNERS[request.param]


@pytest.mark.parametrize("shape", ["2-24-24-1", "3-12-12-1"])
def test_cells_are_those_of_one_item_after_another(workers, shape):
    makes, jobs = workers
    low = lowered(shape, 2.0)
    first = run(low, Limits(), collect=True, workers=Inline())
    other = run(low, Limits(jobs=jobs), collect=True, workers=makes)
    assert first.n_cells > 400 and [f.id for f in first.found] == [f.id for f in other.found]
    for a, b in zip(first.found, other.found, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a.cells, b.cells, strict=True))
    count = run(low, Limits(jobs=jobs), collect=False, workers=makes)
    assert count.n_cells == first.n_cells and count.volume == pytest.approx(4.0**low.domain.dim, rel=1e-9)


def test_each_item_comes_back_once_and_all_come_after_stop(workers):
    makes, jobs = workers
    low = lowered("2-48-48-48-1", 4.0)
    runner = makes.runner(low, Limits(jobs=jobs), collect=False, measure=True)
    pending, begun, back = [kind_of(low).root(low)], [], []
    try:
        while pending or runner.running:
            while pending and runner.is_free:
                item = pending.pop()
                runner.prepare(item)
                runner.begin(item, len(pending))
                begun.append(item.id)
                assert item.id in runner.running
            if len(back) > 5:
                runner.stop[0] = 1
                pending = []
            for portion in runner.finished(0.1 if not runner.stop[0] else None):
                assert portion.worker and portion.seconds >= 0
                back += [done.item.id for done in portion.done] + [item.id for item in portion.back]
                pending += [] if runner.stop[0] else [rest for done in portion.done for rest in done.answer.rest]
    finally:
        runner.close()
    assert not runner.running and not runner.is_free
    assert sorted(begun) == sorted(back) and len(set(back)) == len(back) > 5


def test_verbs_say_who_may_work():
    net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])
    box = ra.Box(-1, 1, dim=2)
    for runner in ("inline", "threads"):
        assert ra.count_cells(net, box, runner=runner).n_cells == 4  # type: ignore[arg-type]
        assert ra.enumerate_cells(net, box, runner=runner).n_cells == 4  # type: ignore[arg-type]
    with pytest.raises(ra.errors.ArgumentError, match=r"`runner='horse'` is nobody who works"):
        ra.count_cells(net, box, runner="horse")  # type: ignore[arg-type]
