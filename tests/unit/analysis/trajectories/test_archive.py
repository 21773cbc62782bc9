from __future__ import annotations

import json

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.errors import ResultFileError
from tests.edits import renewed
from tests.unit.analysis.paths import moving


def test_a_saved_trajectory_comes_back_the_same(tmp_path):
    path = tmp_path / "path.npz"
    for trajectory in (
        moving(),
        moving(dtype=np.float64, with_points=False),
        ra.Trajectory((3, 1, 2), np.ones((2, 8)), domain=ra.Slice.through(np.eye(3))),
    ):
        trajectory.save(path)
        again = ra.Trajectory.load(path)
        assert again.sizes == trajectory.sizes and again.info == trajectory.info
        assert again.weights.dtype == trajectory.weights.dtype and np.array_equal(again.weights, trajectory.weights)
        assert np.array_equal(again.steps, trajectory.steps) and repr(again.domain) == repr(trajectory.domain)
        assert np.array_equal(again.domain.frame()[0], trajectory.domain.frame()[0])
        assert (again.X is None) == (trajectory.X is None)
        if trajectory.X is not None:
            assert np.array_equal(again.X, trajectory.X) and np.array_equal(again.y, trajectory.y)
    assert [p.name for p in tmp_path.iterdir()] == ["path.npz"]


def test_every_truncated_file_is_refused(tmp_path):
    path = tmp_path / "path.npz"
    moving().save(path)
    whole = path.read_bytes()
    for size in [0, 1, 10, *range(100, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ResultFileError, match=r"path\.npz"):
            ra.Trajectory.load(path)


def _with_header(path, change):
    with np.load(path, allow_pickle=False) as archive:
        parts = dict(archive)
    header = json.loads(parts["head"].tobytes())
    change(header, parts)
    parts["head"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(path, **renewed(parts))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda header, parts: header.update(version=4), "version 4; this reluatlas reads version 3"),
        (lambda header, parts: header.update(format="something"), "not a saved trajectory"),
        (lambda header, parts: header.pop("sizes"), "is damaged"),
        (lambda header, parts: header.update(sizes=[2, 4, 3]), "is damaged"),
        (lambda header, parts: parts.pop("weights"), "is damaged"),
        (lambda header, parts: parts.update(weights=parts["weights"] * np.nan), "NaN"),
        (lambda header, parts: parts.update(low=parts["high"]), "is damaged"),
        (lambda header, parts: parts.update(weights=np.array([{}], dtype=object)), "is not a saved trajectory"),
    ],
)
def test_other_versions_and_broken_contents_are_refused(tmp_path, change, what):
    path = tmp_path / "path.npz"
    moving().save(path)
    _with_header(path, change)
    with pytest.raises(ResultFileError, match=what):
        ra.Trajectory.load(path)


def test_other_files_and_none_are_refused(tmp_path):
    with pytest.raises(ResultFileError, match="does not exist"):
        ra.Trajectory.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("hello")
    for name in ("other.npz", "array.npy", "text.npz", "."):
        with pytest.raises(ResultFileError, match="is not a saved trajectory"):
            ra.Trajectory.load(tmp_path / name)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "path.npz"
    moving().save(path)
    before = path.read_bytes()

    def refuse(*names):
        raise OSError("disk full")

    monkeypatch.setattr("reluatlas.storage.atomic.os.replace", refuse)
    with pytest.raises(ResultFileError, match="cannot be written: disk full"):
        moving(seed=1).save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["path.npz"]
