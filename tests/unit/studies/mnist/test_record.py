"""The committed record of a run: its numbers are those of the run's files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reluatlas.errors import ResultFileError
from reluatlas.studies.mnist import published, tables
from scripts.fill_tables import mnist_study
from scripts.record_mnist_study import record_of


def changed(file: Path, *keys: object, to: object) -> None:
    stored = json.loads(file.read_text())
    at = stored
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = to
    file.write_text(json.dumps(stored))


def test_the_record_has_what_the_files_have(run):
    record, found = record_of(run), tables.numbers(run)
    assert [row["n_right"] for row in record["accuracy"]] == [[f["n_test_right"]] for f in found["networks"]]
    assert all(row["paper"] is None for row in record["accuracy"])
    for row in record["similarity"]:
        (pair,) = tables.pairs(found, row["from"], row["to"], row["bias"])
        assert row["n_right"] == [pair["least_squares"]["n_correct"]]
        assert row["r2"] == [min(pair["least_squares"]["r2"]), max(pair["least_squares"]["r2"])]
    assert len(record["similarity"]) == 4 and len(record["standalone"]) == 4
    for row in record["reduction"]:
        assert [100 * n / 359 for n in row["n_right"]] == tables.fewer(found, row["network"], row["k"])
    assert [row["seconds"] for f in record["maps_taken"] for row in (f["train"], f["test"])] == [
        f[part]["seconds"] for f in found["maps-taken"] for part in ("train", "test")
    ]
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize(
    ("file", "keys", "to", "shown"),
    [
        ("networks/dense-seed0.json", ["n_test_right"], 123, "| Dense | 34.26 |"),
        ("maps-taken/conv1-seed0.json", ["train", "seconds"], 4567.8, "| 4,567.8 |"),
        ("regions/conv1-seed0.json", ["n_near"], 987654, "| 987,654 |"),
        ("similarity/seed0.json", ["pairs", 0, "least_squares", "r2_total", 2], -7.25, "| -7.25 to "),
        ("reduction/conv1-seed0.json", ["rows", 1, "n_right"], 77, "| 10 | 21.45 |"),
        ("standalone/dense-seed0.json", ["rows", 0, "n_parameters"], 456789, "| 456,789 |"),
        ("steps/training.json", ["seconds"], 98765, "Training took 98,765 s"),
    ],
)
def test_a_number_changed_in_a_file_changes_the_table(copy, file, keys, to, shown):
    assert shown not in mnist_study(record_of(copy))
    changed(copy / file, *keys, to=to)
    assert shown in mnist_study(record_of(copy))


def test_on_mnist_the_papers_numbers_and_the_differences_stand_beside(copy):
    changed(copy / "study.json", "data", to="mnist")
    record = record_of(copy)
    right = tables.mapped(tables.numbers(copy), "dense", "conv1", "mapped")[0]
    text = mnist_study(record)
    assert f"| Dense to Conv1 | mapped | {right:.2f} | 95.36 | {right - 95.36:+.2f} |" in text
    assert "| 0.48 to 0.54 |" in text and "| 9,996 |" in text
    assert [row["paper"] for row in record["reduction"]] == [published.fewer(n, k) for n in ("dense", "conv1")
                                                             for k in (1, 10)]  # fmt: skip


def test_a_run_that_is_not_finished_is_refused(copy, tmp_path):
    changed(copy / "study.json", "is_complete", to=False)
    with pytest.raises(ResultFileError, match="not finished"):
        record_of(copy)
    script = Path(__file__).resolve().parents[4] / "scripts" / "record_mnist_study.py"
    asked = [sys.executable, str(script), str(copy), "--out", str(tmp_path / "record.json")]
    ended = subprocess.run(asked, capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert ended.returncode == 2 and "not finished" in ended.stderr and not (tmp_path / "record.json").exists()
    changed(copy / "study.json", "is_complete", to=True)
    assert subprocess.run(asked, env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0
    assert json.loads((tmp_path / "record.json").read_text()) == record_of(copy)
