from __future__ import annotations

import csv
import json
from collections import namedtuple
from dataclasses import replace

import numpy as np
import pytest

from reluatlas.datasets.mnist import load_images
from reluatlas.errors import ArgumentError, ResultFileError
from reluatlas.studies.mnist import compare, measure, networks, published, tables
from reluatlas.studies.mnist.map_files import MapFiles
from reluatlas.studies.mnist.networks import recipe
from reluatlas.studies.mnist.report import draw_report
from reluatlas.studies.mnist.study import run_mnist_study
from reluatlas.studies.mnist.train import train

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")


def test_every_step_wrote_its_files_and_the_maps_are_gone(run):
    found = tables.numbers(run)
    assert found["study"]["is_complete"] and [f["name"] for f in found["regions"]] == ["dense", "conv1"]
    assert len(found["similarity"]) == 1 and len(found["similarity"][0]["pairs"]) == 4
    assert not list((run / "maps").iterdir())
    for f in found["regions"]:
        assert f["n_near"] <= f["n_maps"] <= f["n_patterns"] <= f["n_test"] == 359 and f["is_exact"]
    for name in ("networks", "maps-taken", "regions", "similarity", "matching", "reduction", "standalone"):
        rows = list(csv.DictReader((run / "tables" / f"{name}.csv").read_text().splitlines()))
        assert rows and all(len(row) == len(rows[0]) for row in rows)
    assert (run / "figures" / "region-images.png").exists() and (run / "figures" / "ranks.svg").exists()


def test_the_page_loads_nothing_and_has_the_numbers(run):
    page = (run / "report.html").read_text()
    found = tables.numbers(run)
    assert "<script" not in page and "default-src 'none'" in page and page.count("<img") == 5
    for value in (tables.accuracies(found, "dense")[0], *tables.fewer(found, "conv1", 10)):
        assert f"{value:.2f}" in page
    assert "paper" in page and "has no numbers on this data set" in page


@pytest.mark.parametrize(
    ("file", "where", "value", "shown"),
    [
        ("networks/dense-seed0.json", ["n_test_right"], 123, f"{12300 / 359:.2f}"),
        ("maps-taken/conv1-seed0.json", ["train", "seconds"], 4567.8, "4,567.8"),
        ("regions/conv1-seed0.json", ["n_maps"], 987654, "987,654"),
        ("reduction/conv1-seed0.json", ["rows", 1, "n_right"], 77, f"{7700 / 359:.2f}"),
        ("standalone/dense-seed0.json", ["rows", 0, "n_parameters"], 456789, "456,789"),
        ("similarity/seed0.json", ["pairs", 0, "least_squares", "n_correct"], 55, f"{5500 / 359:.2f}"),
        ("similarity/seed0.json", ["pairs", 1, "least_squares", "r2_total", 3], -7.25, "-7.25 to "),
        ("matching/seed0.json", ["pairs", 2, "n_correct"], 66, f"{6600 / 359:.2f}"),
        ("study.json", ["machine", "processor"], "an abacus", "an abacus"),
    ],
)
def test_a_number_changed_in_a_file_changes_the_page(copy, file, where, value, shown):
    assert shown not in (copy / "report.html").read_text()
    stored = json.loads((copy / file).read_text())
    at = stored
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    (copy / file).write_text(json.dumps(stored))
    assert shown in draw_report(copy).read_text()


def test_drawn_again_from_the_same_files_it_is_the_same_page(copy):
    before = (copy / "report.html").read_bytes()
    draw_report(copy)
    assert (copy / "report.html").read_bytes() == before


def test_maps_are_matched_without_their_images(run):
    (found,) = tables.numbers(run)["matching"]
    assert found["n_images"] == 359 and len(found["pairs"]) == 4
    networks = {f["name"]: f["n_test_right"] for f in tables.numbers(run)["networks"]}
    assert all(
        abs(found["own"][name] - right) <= 2 for name, right in networks.items()
    )  # float32 maps, scored in float64
    for pair in found["pairs"]:
        assert all(a <= b for a, b in zip(pair["distance"], pair["paired_distance"], strict=True))
        assert 0 <= pair["same_image"] <= pair["same_label"] <= 1
        other = next(p for p in found["pairs"] if (p["to"], p["bias"]) == (pair["from"], pair["bias"]))
        assert (other["same_image"], other["same_label"]) == (pair["same_image"], pytest.approx(pair["same_label"]))
        assert other["distance"] == pytest.approx(pair["distance"])


def test_a_run_of_an_earlier_version_has_no_matching(copy):
    for path in (copy / "matching").iterdir():
        path.unlink()
    assert tables.numbers(copy)["matching"] == []
    assert "matched one to one" not in draw_report(copy).read_text()


def test_a_missing_file_is_named(copy):
    (copy / "regions" / "dense-seed0.json").unlink()
    with pytest.raises(ResultFileError, match=r"regions/dense-seed0\.json"):
        draw_report(copy)
    with pytest.raises(ResultFileError, match="no run of the MNIST study"):
        (copy / "study.json").write_text("{}")
        draw_report(copy)


def test_what_is_done_is_not_done_again_and_what_is_missing_is(quick, copy, run):
    told: list[str] = []
    cache = run.parent / "cache"
    again = {"networks": ("dense", "conv1"), "cache": cache, "jobs": 1}
    run_mnist_study("digits", copy, **again, progress=lambda what, *more: told.append(what))
    assert told == ["drawing the report"]
    (copy / "images" / "conv1-seed0.npz").unlink()
    run_mnist_study("digits", copy, **again, progress=lambda what, *more: told.append(what))
    assert "images/conv1-seed0" in told and "reduction/conv1-seed0" not in told
    with np.load(copy / "images" / "conv1-seed0.npz") as new, np.load(run / "images" / "conv1-seed0.npz") as old:
        assert np.array_equal(new["A"], old["A"])


def test_maps_in_files_are_those_of_the_network_and_gone_when_dropped(quick, run, tmp_path):
    data = load_images("digits")
    trained = train(recipe("conv1", "digits"), data, seed=0, folder=run.parent / "cache")
    store = MapFiles(tmp_path, data, jobs=1, device="cpu")
    assert store.need([trained]) == (1438 + 359) * 10 * 65 * 4
    maps = store.maps(trained, "test", lambda *told: None)
    X = data.inputs(data.X_test)
    right = int((maps(X).argmax(axis=1) == data.y_test).sum())
    assert right == trained.info["n_test_right"] and maps.A.shape == (359, 10, 1, 8, 8)
    assert store.need([trained]) == 1438 * 10 * 65 * 4
    store.drop(trained)
    assert not list((tmp_path / "maps").iterdir())


def test_too_little_space_is_said_before_anything_is_written(quick, run, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**6, 0, 10**5))
    with pytest.raises(ArgumentError, match=r"need 0\.0 GB .* has 0\.0 GB free"):
        run_mnist_study("digits", tmp_path / "out", networks=("dense",), cache=run.parent / "cache", jobs=1)
    assert not list((tmp_path / "out").rglob("*.npy"))


def test_models_that_stand_alone_open_without_the_network(run):
    from reluatlas.analysis.reduction.pieces.estimators import PiecewiseAffineClassifier

    data = load_images("digits")
    row = tables.alone(tables.numbers(run), "conv1", 3)[0]
    model = PiecewiseAffineClassifier.load(run / "models" / row["file"])
    X = data.inputs(data.X_test).reshape(359, -1)
    assert int((model.predict(X) == data.y_test).sum()) == row["n_right"]


def test_the_papers_numbers_are_put_beside_ours(copy):
    head = json.loads((copy / "study.json").read_text())
    (copy / "study.json").write_text(json.dumps(head | {"data": "mnist"}))
    page = draw_report(copy).read_text()
    ours = tables.accuracies(tables.numbers(copy), "dense")[0]
    assert f"<small>96.03, {ours - 96.03:+.2f}</small>" in page and "paper 9,996" in page
    rows = list(csv.DictReader((copy / "tables" / "similarity.csv").read_text().splitlines()))
    theirs = {(r["from"], r["to"], r["bias"]): r["paper_percent_right"] for r in rows}
    assert theirs["dense", "conv1", "not mapped"] == "95.27" and theirs["conv1", "dense", "mapped"] == "95.67"


def test_the_papers_tables():
    names = published.NAMES
    for name, right in published.ACCURACY.items():
        assert published.similarity(name, name, "mapped") == published.similarity(name, name, "not mapped") == right
    assert [published.similarity("resnet", n, "mapped") for n in names] == [9320, 9738, 9739, 9838, 9892]
    assert [published.similarity("inception", n, "not mapped") for n in names] == [9032, 9414, 9452, 9908, 7028]
    assert [published.fewer(n, 1) for n in names] == [8679, 6766, 6366, 974, 1432]
    assert published.fewer("conv1", 7) is None and published.similarity("small-resnet", "dense", "mapped") is None


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"data": "cifar"}, "no data set"),
        ({"networks": ("lenet",)}, "no network of the study"),
        ({"networks": ()}, "is empty"),
        ({"seeds": 0}, "at least 1"),
        ({"seed": -1}, "at least 0"),
        ({"jobs": -1}, "at least 1"),
        ({"device": "nowhere"}, "nowhere"),
        ({"networks": ("dense", "resnet")}, "small-resnet, which a CPU trains in minutes"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, more, what):
    with pytest.raises(ArgumentError, match=what):
        run_mnist_study(out=tmp_path / "out", cache=tmp_path / "cache", **more)


def test_the_tolerance_is_the_papers():
    assert measure.TOLERANCE == 1e-3


def test_a_trial_on_few_images_says_so_and_leaves_other_networks_alone(tmp_path):
    told: list[str] = []
    few = {"networks": ("dense",), "images": 120, "epochs": 2, "cache": tmp_path / "cache", "jobs": 1}
    run_mnist_study("digits", tmp_path / "out", **few, progress=lambda what, *more: told.append(what))
    head = json.loads((tmp_path / "out" / "study.json").read_text())
    assert (head["n_train"], head["n_test"], head["is_trial"]) == (120, 20, True)
    assert head["recipes"]["dense"]["epochs"] == 2 and "Dense, seed 0: training" in told
    (tmp_path / "out" / "study.json").write_text(json.dumps(head | {"data": "mnist"}))
    page = draw_report(tmp_path / "out").read_text()
    assert "A trial on few images" in page and "96.03" not in page
    with pytest.raises(ArgumentError, match="at least 10"):
        run_mnist_study("digits", tmp_path / "other", **few | {"images": 9})
    with pytest.raises(ArgumentError, match=r"epochs=0.* at least 1"):
        run_mnist_study("digits", tmp_path / "other", **few | {"epochs": 0})
    assert not (tmp_path / "other").exists()


def test_a_large_network_is_read_by_torch_and_so_gives_the_same(tmp_path, monkeypatch):
    small = networks.RECIPES["small-resnet"]
    monkeypatch.setitem(networks.RECIPES, "small-resnet", replace(small, is_large=True))
    few = {"networks": ("small-resnet",), "images": 60, "epochs": 1, "cache": tmp_path / "cache", "jobs": 1}
    run_mnist_study("digits", tmp_path / "out", **few, keep_maps=True)
    found = tables.numbers(tmp_path / "out")
    assert found["regions"][0]["n_near"] == 10 and found["regions"][0]["n_maps"] is None
    assert "small ResNet" in (tmp_path / "out" / "report.html").read_text()
    data = load_images("digits").few(60)
    one_epoch = replace(recipe("small-resnet", "digits"), epochs=1)
    large = train(one_epoch, data, seed=0, folder=tmp_path / "cache" / "networks")
    assert large.recipe.is_large
    both = [replace(large, recipe=replace(large.recipe, is_large=flag)) for flag in (False, True)]
    stores = [MapFiles(tmp_path / str(i), data, jobs=1, device="cpu") for i in range(2)]
    X = data.inputs(data.X_test)
    one, two = (store.outputs(t)(X) for store, t in zip(stores, both, strict=True))
    assert one.dtype == two.dtype == np.float64 and np.abs(one - two).max() < 1e-4 * np.abs(one).max()
    for part in ("train", "test"):
        told: list[tuple] = []
        ours, theirs = (s.maps(t, part, lambda *now: told.append(now)) for s, t in zip(stores, both, strict=True))  # noqa: B023
        assert ours.A.shape == theirs.A.shape and theirs.A.dtype == np.float32
        for name in ("A", "b"):
            one, two = getattr(ours, name), getattr(theirs, name)
            assert np.abs(one - two).max() < 1e-4 * np.abs(one).max()
        assert told[-1][1:] == (len(theirs), len(theirs))
    with np.load(tmp_path / "out" / "images" / "small-resnet-seed0.npz") as kept:
        assert np.array_equal(kept["A"], theirs.A[[int(np.flatnonzero(data.y_test == c)[0]) for c in range(10)]])


@pytest.mark.slow
def test_models_fitted_in_processes_are_the_same(quick, run, tmp_path, monkeypatch):
    data = load_images("digits")
    trained = train(recipe("conv1", "digits"), data, seed=0, folder=run.parent / "cache" / "networks")
    maps = MapFiles(tmp_path, data, jobs=1, device="cpu")
    monkeypatch.setattr(compare, "_WORTH_A_PROCESS", 0)
    told: list[tuple[str, int, int]] = []
    for jobs in (1, 2):
        made = tmp_path / str(jobs), tmp_path / f"{jobs}.json"
        compare.stand_alone_models(trained, data, maps, made[1], made[0], jobs, lambda *now: told.append(now))
        assert told[-1][1:] == (2, 2)
    one, two = (json.loads((tmp_path / f"{jobs}.json").read_text()) for jobs in (1, 2))
    assert one == two and one == json.loads((run / "standalone" / "conv1-seed0.json").read_text())
