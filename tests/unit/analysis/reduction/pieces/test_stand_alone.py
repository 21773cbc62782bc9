from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import reluatlas as ra
from reluatlas.analysis.reduction.pieces.estimators import PiecewiseAffineClassifier, PiecewiseAffineRegressor
from reluatlas.analysis.reduction.pieces.files import read_pieces, write_pieces
from reluatlas.analysis.reduction.pieces.images import shifted
from reluatlas.analysis.reduction.pieces.sample import principal_directions, sample_outputs, toward
from reluatlas.analysis.reduction.pieces.stand_alone import compare_outputs, stand_alone
from reluatlas.datasets.demo import load_demo_digits
from reluatlas.errors import ArgumentError, DimensionError, NonFiniteError, ResultFileError
from tests.edits import renewed


@pytest.fixture(scope="module")
def digits():
    return load_demo_digits().network, load_digits().data / 16.0


def test_a_reduced_model_outlives_its_network(digits, tmp_path):
    net, X = digits
    path = tmp_path / "net.onnx"
    path.write_bytes(load_demo_digits().path.read_bytes())
    opened = ra.load(path)
    fitted, kept = X[:1200], X[1200:]
    agreement = {}
    for k in (1, 10):
        model = stand_alone(opened, fitted, PiecewiseAffineClassifier(k, epochs=20, random_state=0), copies=2)
        agreement[k] = compare_outputs(model.outputs(kept), net(kept)).agreement
    assert agreement[10] > 0.93 and agreement[10] > agreement[1]
    assert model.classes_.tolist() == list(range(10)) and model.n_features_in_ == 64
    values = model.outputs(kept)
    model.save(tmp_path / "reduced.npz")
    del opened, model
    path.unlink()
    again = PiecewiseAffineClassifier.load(tmp_path / "reduced.npz")
    np.testing.assert_array_equal(again.outputs(kept), values)
    np.testing.assert_array_equal(again.predict(kept), values.argmax(axis=1))
    np.testing.assert_array_equal(read_pieces(tmp_path / "reduced.npz")[0](kept), values)


def test_a_regressor_follows_the_outputs_closer_with_more_pieces(digits):
    net, X = digits
    sample = sample_outputs(net, X[:1200], copies=1)
    expected = net(X[1200:])
    errors = [
        compare_outputs(
            PiecewiseAffineRegressor(k, epochs=20, random_state=0).fit_outputs(sample).predict(X[1200:]), expected
        )
        for k in (1, 10)
    ]
    assert errors[1].root_mean_square < 0.8 * errors[0].root_mean_square
    assert errors[1].root_mean_square <= errors[1].mean <= errors[1].largest


def test_a_sample_holds_points_copies_and_what_the_network_says_there(digits):
    net, X = digits
    seen = []
    progress = []

    def asked(part):
        seen.append(part)
        return net(part)

    sample = sample_outputs(asked, X, copies=2, progress=lambda done, of: progress.append((done, of)))
    assert sample.z.shape == (3, len(X), 61) and sample.outputs.shape == (3, len(X), 10)  # three pixels never change
    assert progress == [(len(X) * i, 3 * len(X)) for i in (1, 2, 3)]
    np.testing.assert_array_equal(seen[0], X)
    for part, z, outputs in zip(seen, sample.z, sample.outputs, strict=True):
        np.testing.assert_allclose((part - sample.mean) @ sample.basis, z, atol=1e-5)
        np.testing.assert_allclose(net(part), outputs, rtol=1e-6, atol=1e-5)
    assert (seen[1] != X).any() and (seen[2] != seen[1]).any()
    small = sample.leading(5)
    np.testing.assert_allclose((X - small.mean) @ small.basis, small.z[0], atol=1e-5)
    assert small.z[0].std() == pytest.approx(1, abs=1e-6) and sample.leading(61) is sample
    images = X.astype(np.float32).reshape(-1, 1, 8, 8)
    same = sample_outputs(lambda part: net(part.reshape(-1, 64)), images, copies=1, change=shifted(0.0))
    np.testing.assert_allclose(same.z[0], sample.z[0], atol=1e-4)


def test_principal_directions_are_those_of_scikit_learn_up_to_one_number():
    random = np.random.default_rng(0)
    for n_rows, n in ((50, 4), (4, 50), (30, 30)):
        X = random.standard_normal((n_rows, n)) * (1 + np.arange(n)) + 3
        d = min(3, n_rows - 1)
        mean, basis = principal_directions(X, d)
        reference = PCA(d).fit(X)
        sizes = np.linalg.norm(basis, axis=0)
        np.testing.assert_allclose(sizes, sizes[0])
        np.testing.assert_allclose(np.abs(basis.T / sizes[0] @ reference.components_.T), np.eye(d), atol=1e-8)
        assert ((X - mean) @ basis).std() == pytest.approx(1)
    mean, basis = principal_directions(np.full((5, 3), 2.0), 3)
    assert basis.shape == (3, 1) and mean.tolist() == [2, 2, 2]
    flat = random.standard_normal((40, 2)) @ random.standard_normal((2, 6))
    assert principal_directions(flat, 6)[1].shape == (6, 2)


def test_shifted_images_are_one_of_eight_shifts():
    random = np.random.default_rng(0)
    images = random.uniform(1, 2, (200, 4, 5))
    wide = np.full((200, 6, 7), -1.0)
    wide[:, 1:5, 1:6] = images
    for part in (images, images.reshape(200, 1, 4, 5)):
        moved = shifted(-1.0)(part, np.random.default_rng(1))
        assert moved.shape == part.shape
        found = [
            {(i, j) for i in range(3) for j in range(3) if np.array_equal(w[i : i + 4, j : j + 5], m)}
            for w, m in zip(wide, moved.reshape(200, 4, 5), strict=True)
        ]
        assert all(len(one) == 1 for one in found)
        assert set.union(*found) == {(i, j) for i in range(3) for j in range(3)} - {(1, 1)}
    flat = shifted(-1.0, shape=(4, 5))(images.reshape(200, 20), np.random.default_rng(1))
    np.testing.assert_array_equal(flat.reshape(200, 4, 5), moved[:, 0])


def test_toward_adds_a_share_of_the_difference_of_two_points():
    points = np.array([[0.0, 0.0], [10.0, 1.0]])
    moved = toward(points, 0.5)(np.tile([[5.0, 5.0]], (100, 1)), np.random.default_rng(0))
    assert {tuple(row) for row in moved} == {(5.0, 5.0), (10.0, 5.5), (0.0, 4.5)}


@pytest.mark.parametrize(
    ("error", "settings"),
    [
        (ArgumentError, {"copies": -1}),
        (ArgumentError, {"copies": True}),
        (ArgumentError, {"n_components": 0}),
        (ArgumentError, {"X": np.zeros((0, 3))}),
        (ArgumentError, {"X": np.zeros(3)}),
        (NonFiniteError, {"X": np.full((4, 3), np.inf)}),
        (NonFiniteError, {"network": lambda x: np.full((len(x), 2), np.nan)}),
        (NonFiniteError, {"network": lambda x: np.full((len(x), 2), 1e200)}),
        (DimensionError, {"network": lambda x: np.zeros((3, 2))}),
        (DimensionError, {"change": lambda x, g: x[:, :1], "copies": 1}),
        (NonFiniteError, {"change": lambda x, g: x * np.nan, "copies": 1}),
    ],
)
def test_samples_that_make_no_sense_are_refused(error, settings):
    network = settings.pop("network", lambda x: x)
    with pytest.raises(error):
        sample_outputs(network, settings.pop("X", np.eye(4)[:, :3]), **settings)


def test_a_classifier_of_one_output_and_more_pieces_than_points_are_refused():
    sample = sample_outputs(lambda x: x[:, :1], np.random.default_rng(0).standard_normal((20, 3)))
    with pytest.raises(DimensionError, match="PiecewiseAffineRegressor"):
        PiecewiseAffineClassifier(2).fit_outputs(sample)
    with pytest.raises(ArgumentError, match="n_pieces=21"):
        PiecewiseAffineRegressor(21).fit_outputs(sample)
    with pytest.raises(DimensionError):
        compare_outputs(np.zeros((3, 2)), np.zeros((3, 1)))


@pytest.fixture
def models():
    X = np.random.default_rng(0).standard_normal((60, 4))
    labels = np.array(["no", "perhaps", "yes"])[np.arange(60) % 3]
    return X, {
        "labels": PiecewiseAffineClassifier(3, epochs=2, random_state=0).fit(X, labels),
        "objects": PiecewiseAffineClassifier(3, epochs=2).fit(X, labels.astype(object)),
        "numbers": PiecewiseAffineClassifier(2, epochs=2, random_state=np.random.RandomState(1)).fit(X, X[:, 0] > 0),
        "flat": PiecewiseAffineRegressor(np.int64(3), epochs=2, alpha=np.float64(0.5)).fit(X, X[:, 0] ** 2),
        "two": PiecewiseAffineRegressor(3, epochs=2, random_state=5).fit(X, X[:, :2] ** 2),
    }


@pytest.mark.parametrize("name", ["labels", "objects", "numbers", "flat", "two"])
def test_saved_models_are_the_same_models(models, name, tmp_path):
    X, fitted = models
    model = fitted[name]
    model.save(tmp_path / "model.npz")
    again = type(model).load(tmp_path / "model.npz")
    assert np.array_equal(again.predict(X), model.predict(X)) and again.predict(X).shape == model.predict(X).shape
    expected = model.get_params()
    if not isinstance(expected["random_state"], int):
        expected["random_state"] = None
    assert again.get_params() == expected and again.n_features_in_ == 4
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]


def test_files_that_are_no_saved_model_are_refused(models, tmp_path):
    _, fitted = models
    path, model = tmp_path / "model.npz", fitted["labels"]
    model.save(path)
    with pytest.raises(ResultFileError, match="holds `PiecewiseAffineClassifier`"):
        PiecewiseAffineRegressor.load(path)
    with pytest.raises(ResultFileError, match="does not exist"):
        PiecewiseAffineClassifier.load(tmp_path / "none.npz")
    with pytest.raises(ArgumentError, match=r"end with \.npz"):
        model.save(tmp_path / "model.pkl")
    with pytest.raises(ResultFileError, match="cannot be written"):
        model.save(tmp_path / "none" / "model.npz")
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(ResultFileError, match="truncated"):
            PiecewiseAffineClassifier.load(path)
    pieces = model.pieces_
    for change, words in (
        ({"settings": {"n_pieces": 3, "colour": 1}}, "settings"),
        ({"settings": None}, "settings"),
        ({"is_flat": "no"}, "settings"),
        ({"kind": None}, "holds `None`"),
    ):
        head = {"kind": "PiecewiseAffineClassifier", "settings": {}, "is_flat": False, **change}
        write_pieces(path, pieces, head, classes=model.classes_)
        with pytest.raises(ResultFileError, match=words):
            PiecewiseAffineClassifier.load(path)
    head = {"kind": "PiecewiseAffineClassifier", "settings": {}, "is_flat": False}
    write_pieces(path, pieces, head, classes=model.classes_[:2])
    with pytest.raises(ResultFileError, match="classes"):
        PiecewiseAffineClassifier.load(path)
    write_pieces(path, pieces, head)
    with pytest.raises(ResultFileError, match="classes"):
        PiecewiseAffineClassifier.load(path)


def test_other_versions_formats_and_shapes_are_refused(models, tmp_path):
    path = tmp_path / "model.npz"
    models[1]["flat"].save(path)
    with np.load(path) as stored:
        parts = dict(stored)
    head = json.loads(parts["head"].tobytes())
    for change, array, words in (
        ({"version": 3}, {}, "version 3"),
        ({"format": "other"}, {}, "it holds other arrays"),
        ({}, {"basis": parts["basis"][:2]}, "do not fit"),
        ({}, {"offsets": np.full_like(parts["offsets"], np.nan)}, "NaN"),
    ):
        text = np.frombuffer(json.dumps({**head, **change}).encode(), dtype=np.uint8)
        np.savez(path, **renewed({**parts, **array, "head": text}))
        with pytest.raises(ResultFileError, match=words):
            PiecewiseAffineRegressor.load(path)
    buffer = io.BytesIO()
    np.savez(buffer, **{**parts, "mean": np.array([object()])}, allow_pickle=True)  # never unpickled
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ResultFileError):
        PiecewiseAffineRegressor.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("head.npy", b"nonsense")
    with pytest.raises(ResultFileError):
        PiecewiseAffineRegressor.load(path)
