"""A folder is filled whole or not at all, and files of others are left alone."""

from __future__ import annotations

import json
import os

import pytest

from reluatlas.errors import ArgumentError, TimeLimitError
from reluatlas.report.folder import check_folder, fill_folder


def result(**files):
    """Return what writes an earlier or later result."""

    def write(place):
        (place / "cells.json").write_text(json.dumps({"reluatlas": "0", **files}))
        for name, text in files.items():
            path = place / name.replace("_", ".", 1)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    return write


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_a_new_folder_appears_with_everything(tmp_path):
    def write(place):
        result(report_html="page")(place)
        (place / "report.html").chmod(0o600)

    fill_folder(tmp_path / "a" / "b", write)
    assert names(tmp_path) == ["a", "a/b", "a/b/cells.json", "a/b/report.html"]
    assert os.stat(tmp_path / "a" / "b").st_mode & 0o777 == 0o777 & ~_umask()
    assert os.stat(tmp_path / "a" / "b" / "report.html").st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_failure_leaves_no_trace(tmp_path):
    def fails(place):
        (place / "cells.json").write_text("{}")
        raise OSError(28, "No space left on device")

    with pytest.raises(ArgumentError, match="No space left"):
        fill_folder(tmp_path / "new", fails)
    assert names(tmp_path) == []
    fill_folder(tmp_path / "old", result(report_html="page"))
    before = names(tmp_path)
    with pytest.raises(ArgumentError, match="cannot be written"):
        fill_folder(tmp_path / "old", fails)

    def interrupted(place):
        (place / "report.html").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_folder(tmp_path / "old", interrupted)
    assert names(tmp_path) == before and (tmp_path / "old" / "report.html").read_text() == "page"


def test_an_earlier_result_is_replaced_and_nothing_of_it_stays(tmp_path):
    folder = tmp_path / "out"
    fill_folder(folder, result(report_html="one", cells_npz="one"))
    (folder / "figures").mkdir()
    (folder / "figures" / "dual.png").write_text("one")
    inside = folder.stat().st_ino
    fill_folder(folder, result(report_html="two"))
    assert names(folder) == ["cells.json", "report.html"] and (folder / "report.html").read_text() == "two"
    assert folder.stat().st_ino == inside  # the same folder: a shell may stand in it, a disk be mounted there


@pytest.mark.parametrize(
    "foreign",
    [
        {"notes.txt": "x"},
        {"cells.json": "not json"},
        {"cells.json": "[]"},
        {"report.html": "x"},
        {"cells.json": '{"reluatlas": "0"}', "figures/holiday.png": "x"},
        {"cells.json": '{"reluatlas": "0"}', "deep/report.html": "x"},
    ],
)
def test_folders_of_others_are_refused_and_untouched(tmp_path, foreign):
    for name, text in foreign.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    before = names(tmp_path)
    for attempt in (check_folder, lambda folder: fill_folder(folder, result())):
        with pytest.raises(ArgumentError, match="which reluatlas did not write"):
            attempt(tmp_path)
    assert names(tmp_path) == before


def test_places_that_can_hold_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArgumentError, match="is a file"):
        check_folder(tmp_path / "file")
    with pytest.raises(ArgumentError, match="a file"):
        check_folder(tmp_path / "file" / "a" / "b")
    with pytest.raises(ArgumentError, match="cannot be used"):
        check_folder(tmp_path / ("n" * 300))
    check_folder(tmp_path / "fine" / "deeper")
    assert names(tmp_path) == ["file"]


def test_a_limit_of_time_is_not_told_as_a_folder_that_cannot_be_written(tmp_path):
    def late(_):
        raise TimeLimitError("the time was over")

    with pytest.raises(TimeLimitError, match="the time was over"):
        fill_folder(tmp_path / "out", late)
    assert not list(tmp_path.iterdir())
