"""How far a run is: read from its file, while it goes on and after, with an estimate of the end that holds."""

from __future__ import annotations

import json
import shutil
import sqlite3

import numpy as np
import pytest

from reluatlas.errors import ResultFileError
from reluatlas.subdivision.runner import status
from reluatlas.subdivision.runner.status import status_of
from tests.killed import lowered, make_small, work

SHAPE, SIDE = "2-96-96-96-1", 4.0


@pytest.fixture
def small(monkeypatch):
    """Small items, each of them written."""
    make_small(monkeypatch.setattr)
    monkeypatch.setattr("reluatlas.subdivision.runner.frontier._LEAST_PAUSE_S", 0.0)


def test_a_run_is_told_while_it_goes_on_and_after(small, tmp_path):
    file, told = tmp_path / "run.sqlite", []

    def tell(n_cells, share):
        if len(told) < 60 and share > 0.05 * len(told) / 3:
            told.append((n_cells, share, status_of(file)))

    run = work("count", SHAPE, SIDE, checkpoint=file, jobs=2, progress=tell)
    assert len(told) > 3
    for n_cells, share, then in told:
        assert 0 <= then.n_cells <= n_cells and 0 <= then.share <= share + 1e-9  # as of what was written
    assert told[-1][2].n_cells > told[0][2].n_cells and not told[-1][2].is_done
    assert told[-1][2].domain == repr(lowered(SHAPE, SIDE).domain) and told[-1][2].does == "counts"
    end = status_of(file)
    assert (end.is_done, end.n_cells, end.n_open, end.share, end.left_s) == (True, run.n_cells, 0, 1.0, 0.0)
    assert {w.worker for w in end.workers} == {"thread 0", "thread 1"}
    assert sum(w.cells for w in end.workers) == run.n_cells and all(w.seconds > 0 and w.items > 0 for w in end.workers)
    assert end.cells_per_second == pytest.approx(run.n_cells / run.seconds, rel=0.2)


def test_the_log_says_who_found_what(small, tmp_path):
    file = tmp_path / "run.sqlite"
    run = work("collect", "2-48-48-48-2", 4.0, checkpoint=file, jobs=1)
    with sqlite3.connect(file) as base:
        rows = base.execute("SELECT at, worker, items, cells, volume, seconds FROM log ORDER BY n").fetchall()
    base.close()
    assert sum(row[3] for row in rows) == run.n_cells and sum(row[4] for row in rows) == pytest.approx(64.0)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def test_a_file_of_before_the_log_goes_on_and_gets_one(small, tmp_path):
    file = tmp_path / "run.sqlite"
    part = work("count", SHAPE, SIDE, checkpoint=file, jobs=1, max_cells=2000)
    with sqlite3.connect(file) as base:
        base.execute("DROP TABLE log")
    base.close()
    told = status_of(file)
    assert told.n_cells == part.n_cells and told.workers == [] and told.left_s is None
    whole = work("count", SHAPE, SIDE, checkpoint=file, jobs=1)
    assert whole.n_cells > part.n_cells and status_of(file).workers


def test_the_end_is_estimated_by_the_rate_with_its_error():
    # the same volume in equal times, then volumes that differ
    log = np.column_stack([np.linspace(0.025, 9.975, 200), np.full(200, 0.5)])
    left, error = status._end(log, 10.0, 50.0)
    assert left == pytest.approx(5.0) and error == pytest.approx(0.0, abs=1e-9)
    rng = np.random.default_rng(0)
    log[:, 1] = rng.exponential(0.5, 200)
    left, error = status._end(log, 10.0, 50.0)
    assert abs(left - 5.0) < 4 * error and 0 < error < 1.5
    assert status._end(log[:3], 10.0, 50.0) == (None, None)


def test_on_a_space_no_share_is_known(tmp_path):
    import reluatlas as ra
    from tests.killed import network

    file = tmp_path / "run.sqlite"
    ra.count_cells(network("2-12-8-1"), ra.Space(2), checkpoint=file, max_cells=20)
    told = status_of(file)
    assert told.n_cells >= 20 and (told.share is None or told.is_done)


def test_what_is_no_run_is_refused(tmp_path):
    file = tmp_path / "run.sqlite"
    with pytest.raises(ResultFileError, match="is no file"):
        status_of(file)
    file.write_bytes(b"SQLite format 3\0 and then nothing")
    with pytest.raises(ResultFileError, match="is no checkpoint of a run, or is damaged"):
        status_of(file)
    file.unlink()
    work("count", "2-8-8-1", 1.0, checkpoint=file)
    for change in ("UPDATE tally SET sum = sum + 1", "DELETE FROM tally", "UPDATE about SET value = 'x'"):
        other = tmp_path / "other.sqlite"
        shutil.copy(file, other)
        with sqlite3.connect(other) as base:
            base.execute(change)
        base.close()
        with pytest.raises(ResultFileError, match="is no checkpoint of a run, or is damaged"):
            status_of(other)


def test_the_command_says_the_same(tmp_path, capsys):
    from reluatlas.cli.main import main

    file = tmp_path / "run.sqlite"
    run = work("count", "2-24-24-1", 2.0, checkpoint=file, jobs=1)
    assert main(["status", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_cells"] == run.n_cells
    assert main(["status", str(file)]) == 0
    text = capsys.readouterr().out
    assert f"{run.n_cells:,}" in text and "thread 0" in text and "nothing" in text
    assert main(["status", str(tmp_path / "none.sqlite")]) == 2
    assert "is no file" in capsys.readouterr().err
