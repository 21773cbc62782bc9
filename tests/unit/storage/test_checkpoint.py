"""What every checkpoint must do: go on to the same answer after any end, or be refused in one sentence."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any
from zlib import crc32

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.cells.chart import chart_of
from reluatlas.cells.checkpoint import Met, SearchFile
from reluatlas.errors import ResultFileError
from reluatlas.storage.checkpoint import Checkpoint, packed, unpacked
from reluatlas.subdivision.program.lower import lower
from reluatlas.subdivision.runner.checkpoint import RunFile
from tests.killed import make_small, network, search, start_and_kill

BOX = ra.Box(-1, 1, dim=3)
SHAPE, MOST = "3-10-10-2", 60


def _enumerate(checkpoint: Any = None, **limits: Any) -> dict[str, np.ndarray]:
    cx = ra.enumerate_cells(network(SHAPE), BOX, jobs=1, checkpoint=checkpoint, **limits)
    return {"patterns": cx.patterns, "A": cx.affine.A, "b": cx.affine.b}


def _search(checkpoint: Any = None, max_cells: int = MOST, **limits: Any) -> dict[str, np.ndarray]:
    found = search(SHAPE, max_cells, checkpoint=checkpoint, **limits)
    names = ("patterns", "points", "starts", "depth", "is_expanded", "edges")
    return {name: getattr(found, name) for name in names}


def _open_run(path: Any) -> Checkpoint:
    return RunFile(path, lower(network(SHAPE), BOX), collect=True)


def _open_search(path: Any) -> SearchFile:
    starts = list(np.random.default_rng(1).uniform(-0.5, 0.5, (2, 3)))
    return SearchFile(path, chart_of(network(SHAPE), None), starts, None)


WORK: dict[str, Callable[..., dict[str, np.ndarray]]] = {"run": _enumerate, "search": _search}
OPEN: dict[str, Callable[[Any], Checkpoint]] = {"run": _open_run, "search": _open_search}


@functools.cache
def whole(kind: str) -> dict[str, np.ndarray]:
    """The answer of a run that never stopped."""
    return WORK[kind]()


@pytest.fixture(params=sorted(WORK))
def kind(request, monkeypatch) -> str:
    make_small(monkeypatch.setattr)
    return request.param


@pytest.fixture
def path(kind, tmp_path):
    """Return the file of a run that was stopped."""
    WORK[kind](tmp_path / "run", max_cells=20)
    return tmp_path / "run"


def is_same(answer, other):
    """Return whether two answers are equal in every number."""
    return all(np.array_equal(answer[name], other[name]) for name in other) and answer.keys() == other.keys()


def refusal(kind, path):
    """Return the sentence with which a file is refused."""
    with pytest.raises(ResultFileError) as caught:
        WORK[kind](path)
    text = str(caught.value)
    assert text.startswith(f"`checkpoint={str(path)!r}` ") and text.endswith(".") and "\n" not in text
    return text


def goes_on_or_is_refused(kind, path):
    """Return whether a file is refused; if not, the answer must be that of a run that never stopped."""
    try:
        answer = WORK[kind](path)
    except ResultFileError as error:
        assert str(error).startswith("`checkpoint=") and "\n" not in str(error)
        return True
    assert is_same(answer, whole(kind))
    return False


def test_a_stopped_run_goes_on_to_the_same_answer(kind, path):
    assert is_same(WORK[kind](path), whole(kind))
    assert is_same(WORK[kind](path), whole(kind))


def test_a_killed_search_goes_on_to_the_same_answer(tmp_path):
    for share in (0.3, 0.7):
        start_and_kill("search", SHAPE, MOST, 1, tmp_path / "run", share=share)
    with closing(sqlite3.connect(f"file:{tmp_path / 'run'}?mode=ro", uri=True)) as base:
        n_steps = base.execute("SELECT count(*) FROM steps").fetchone()[0]
    assert n_steps > 3
    visited = []
    answer = _search(tmp_path / "run", progress=lambda what, n, share: visited.append(n))
    assert is_same(answer, whole("search")) and visited[0] > 0.3 * MOST


def test_a_file_in_use_is_refused(kind, path):
    file = OPEN[kind](path)
    assert "is in use by another run" in refusal(kind, path)
    file.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("BEGIN EXCLUSIVE")
        assert "is in use by another run" in refusal(kind, path)
    assert is_same(WORK[kind](path), whole(kind))


def test_a_search_within_a_search_of_the_same_file_is_refused(tmp_path):
    with pytest.raises(ResultFileError, match="in use by another run"):
        _search(tmp_path / "run", progress=lambda *told: _search(tmp_path / "run"))
    assert is_same(_search(tmp_path / "run"), whole("search"))


def test_truncated_files(kind, path, tmp_path):
    content = path.read_bytes()
    n_refused = 0
    for size in [0, 1, 99, 100, 4096, *np.linspace(101, len(content) - 1, 12).astype(int).tolist()]:
        cut = tmp_path / f"{size}"
        cut.write_bytes(content[:size])
        n_refused += goes_on_or_is_refused(kind, cut)
    assert n_refused >= 12


def test_flipped_bits(kind, path, tmp_path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    n_refused = 0
    for place in rng.choice(np.flatnonzero(np.frombuffer(content, dtype=np.uint8)), 60, replace=False).tolist():
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "damaged").write_bytes(damaged)
        n_refused += goes_on_or_is_refused(kind, tmp_path / "damaged")
        for left in tmp_path.glob("damaged*"):
            left.unlink()
    assert n_refused >= 10


def test_files_of_others(kind, tmp_path):
    (tmp_path / "junk").write_bytes(b"no database" * 1000)
    assert "is no file of a " in refusal(kind, tmp_path / "junk")
    with closing(sqlite3.connect(tmp_path / "mine")) as base, base:
        base.execute("CREATE TABLE mine (x)")
    other = {"run": "search", "search": "run"}[kind]
    WORK[other](tmp_path / other, max_cells=5)
    for name in ("mine", other):
        before = (tmp_path / name).read_bytes()
        assert f"is a file of another kind, not that of a {kind}" in refusal(kind, tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    (tmp_path / "folder").mkdir()
    assert "cannot be opened (unable to open database file)" in refusal(kind, tmp_path / "folder")
    assert "cannot be opened (unable to open database file)" in refusal(kind, tmp_path / "no" / "run")
    assert "embedded null" in refusal(kind, f"{tmp_path}/a\0b")


@pytest.mark.parametrize("version", ["0", "99", "", None])
def test_other_versions(kind, path, version):
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("DELETE FROM about WHERE name = 'format'")
        if version is not None:
            base.execute("INSERT INTO about VALUES ('format', ?)", (version,))
    reads = {"run": 1, "search": 4}[kind]
    assert f"has format version {version}; this reluatlas reads version {reads}" in refusal(kind, path)


def test_a_search_of_an_older_version_is_known_as_one(tmp_path):
    with closing(sqlite3.connect(tmp_path / "run")) as base, base:
        base.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        base.execute("CREATE TABLE cells (id INTEGER PRIMARY KEY)")
        base.execute("CREATE TABLE edges (i INTEGER)")
        base.execute("INSERT INTO about VALUES ('format', '3'), ('search', '0123')")
    text = refusal("search", tmp_path / "run")
    assert "has format version 3; this reluatlas reads version 4" in text and "use the version that wrote it" in text


def test_the_format_of_runs_is_that_of_files_written_before(tmp_path):
    _open_run(tmp_path / "run").close()
    with closing(sqlite3.connect(tmp_path / "run")) as base:
        tables = [sql for (sql,) in base.execute("SELECT sql FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        names = [name for (name,) in base.execute("SELECT name FROM about ORDER BY name")]
        head = dict(base.execute("SELECT name, value FROM about WHERE name IN ('kind', 'format', 'does', 'certain')"))
    assert tables == [
        "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
        "CREATE TABLE found (id BLOB PRIMARY KEY, n_cells INTEGER NOT NULL, arrays BLOB NOT NULL, "
        "sum INTEGER NOT NULL)",
        "CREATE TABLE log (n INTEGER PRIMARY KEY, at REAL NOT NULL, worker TEXT NOT NULL, items INTEGER NOT NULL, "
        "cells INTEGER NOT NULL, volume REAL NOT NULL, seconds REAL NOT NULL)",  # not in those written before
        "CREATE TABLE open (id BLOB PRIMARY KEY, arrays BLOB NOT NULL, sum INTEGER NOT NULL)",
        "CREATE TABLE tally (one INTEGER PRIMARY KEY CHECK (one = 0), value TEXT NOT NULL, sum INTEGER NOT NULL)",
    ]
    assert names == ["certain", "does", "domain", "format", "kind", "network", "where"]
    assert head == {"kind": "reluatlas run", "format": "1", "does": "collects", "certain": "True"}
    data = b'[["a", "<i8", [2]], ["b", "<f8", [1, 1]]]\n' + np.array([3, -4], "<i8").tobytes() + b"\0\0\0\0\0\0\xe0?"
    assert packed({"a": np.array([3, -4]), "b": np.array([[0.5]])}) == data
    assert {name: a.tolist() for name, a in unpacked(data).items()} == {"a": [3, -4], "b": [[0.5]]}


def test_files_that_cannot_be_written(kind, path, tmp_path, monkeypatch):
    honest = sqlite3.connect
    # also where the user may write anything, as root may
    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: honest(f"file:{path}?mode=ro", uri=True, **more))
    text = refusal(kind, path)
    assert "cannot be opened (" in text and "can be written to" in text
    monkeypatch.setattr(sqlite3, "connect", honest)
    assert is_same(WORK[kind](path), whole(kind))


def test_a_full_disk(kind, path, monkeypatch):
    honest = Checkpoint._open

    def on_a_full_disk(self):
        honest(self)
        (pages,) = self._base.execute("PRAGMA page_count").fetchone()
        self._base.execute(f"PRAGMA max_page_count = {pages}")

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "_open", on_a_full_disk)
        assert "cannot be written: database or disk is full" in refusal(kind, path)
    assert is_same(WORK[kind](path), whole(kind))


FORGED = {
    "another type": "UPDATE {table} SET arrays = 'text'",
    "another sum": "UPDATE {table} SET sum = sum + 1",
    "no sum": "UPDATE {table} SET sum = 'none'",
    "a row less": "DELETE FROM {table} WHERE id = (SELECT min(id) FROM {table})",
    "no table": "DROP TABLE {table}",
    "other columns": "ALTER TABLE {table} DROP COLUMN sum",
    "no setting": "DELETE FROM about WHERE name = 'network'",
}


@pytest.mark.parametrize("change", FORGED)
def test_rows_that_were_changed(kind, path, change):
    with closing(sqlite3.connect(path)) as base, base:
        base.execute(FORGED[change].format(table={"run": "found", "search": "steps"}[kind]))
    refusal(kind, path)


def _steps(path):
    with closing(sqlite3.connect(path)) as base:
        return [unpacked(data) for (data,) in base.execute("SELECT arrays FROM steps ORDER BY id")]


def _write_steps(path, steps):
    """Write steps with sums that are right."""
    total, rows = 0, []
    for i, step in enumerate(steps):
        data = step if isinstance(step, bytes) else packed(step)
        total = crc32(data, total)
        rows.append((i, data, total))
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("DELETE FROM steps")
        base.executemany("INSERT INTO steps VALUES (?, ?, ?)", rows)


def test_steps_that_fit_their_sums_and_not_the_search(tmp_path):
    path = tmp_path / "run"
    _search(path, max_cells=20)
    steps = _steps(path)
    _write_steps(path, steps)
    assert is_same(_search(path), whole("search"))
    text = np.frombuffer
    for i, name, value in (
        (0, "patterns", steps[0]["patterns"][:, :-1]),
        (0, "patterns", steps[0]["patterns"].astype(np.float64)),
        (0, "points", steps[0]["points"] * np.nan),
        (0, "points", steps[0]["points"][:, :2]),
        (0, "depth", steps[0]["depth"] - 1),
        (0, "depth", steps[0]["depth"][:0]),
        (0, "inside", text(b'[["nan", "0x1p0", "0x1p0"]]', np.uint8)),
        (0, "inside", text(b'[[["1", "0"], ["1", "1"], ["1", "1"]]]', np.uint8)),
        (0, "inside", text(b'[["0x1p0"]]', np.uint8)),
        (0, "inside", text(b'[["0x1p99999"]]', np.uint8)),
        (0, "inside", text(b"[" * 100_000, np.uint8)),
        (-1, "edges", np.array([[0, 10**6]])),
        (-1, "edges", np.array([[0, -1]])),
        (-1, "edges", np.array([0, 1, 2])),
        (-1, "done", np.array([10**6])),
    ):  # fmt: skip
        changed = [dict(step) for step in steps]
        changed[i][name] = value
        _write_steps(path, changed)
        assert "is no file of a search, or is damaged" in refusal("search", path), (i, name)
    for data in (b"", b"{}\n", b"[1]\n", b'[["a", "O", [1]]]\n12345678', b'[["a", "<f8", [1099511627776]]]\n', b"\xff"):
        _write_steps(path, [data])
        assert "is no file of a search, or is damaged" in refusal("search", path), data


def test_the_search_of_another_is_named(tmp_path):
    net, X = network(SHAPE), np.random.default_rng(1).uniform(-0.5, 0.5, (2, 3))
    path, small = tmp_path / "run", ra.Box(-1, np.nextafter(1, 2), dim=3)
    ra.explore(net, X[:1], max_cells=5, domain=BOX, checkpoint=path)
    before = path.read_bytes()
    for sentence, other in {
        "belongs to a search in another network": {"net": network(SHAPE, seed=1)},
        "on another domain, Box(low=[-1, -1, -1], high=[1, 1, 1])": {"domain": small},
        "belongs to a search from other points": {"X": X[1:]},
        "belongs to a search around its points": {"target": X[1]},
    }.items():
        given = {"net": net, "X": X[:1], "domain": BOX, "target": None} | other
        with pytest.raises(ResultFileError) as caught:
            ra.explore(given.pop("net"), given.pop("X"), max_cells=5, checkpoint=path, **given)
        assert sentence in str(caught.value)
    assert path.read_bytes() == before
    ra.explore(net, X[0], target=X[1], max_cells=2, checkpoint=tmp_path / "line")
    with pytest.raises(ResultFileError, match="to another target"):
        ra.explore(net, X[0], target=X[1] / 2, max_cells=2, checkpoint=tmp_path / "line")


def test_points_inside_are_kept_exactly_whatever_their_length(tmp_path):
    from fractions import Fraction

    exactly = [Fraction(7**9000 + 1, 3**9001), Fraction(-(10**6000), 11), Fraction(0)]
    floats = np.array([0.1, -5e-324, 1e308])
    pattern = network(SHAPE).patterns(np.zeros((1, 3)))[0]
    file = _open_search(tmp_path / "run")
    file.add([Met(pattern, exactly, floats, 0), Met(pattern, floats, floats, 3)], [(0, 1)], 1)
    file.close()
    file = _open_search(tmp_path / "run")
    kept = file.read(pattern)
    file.close()
    assert kept.cells[0].inside == exactly and np.array_equal(kept.cells[1].inside, floats)
    assert np.array_equal(kept.cells[1].point, floats) and [c.depth for c in kept.cells] == [0, 3]
    assert (kept.edges, kept.expanded) == ([(0, 1)], {1})
