"""ONNX files: layouts of the input, and every kind of broken or hostile file."""

from __future__ import annotations

import gzip
import time
import tracemalloc

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from reluatlas.errors import (
    ArgumentError,
    DimensionError,
    ModelFileError,
    NonFiniteError,
    ReluAtlasError,
    UnsupportedLayerError,
)
from reluatlas.importers.load import load
from reluatlas.importers.onnx import file
from reluatlas.importers.onnx.recast import extract, in_float64
from reluatlas.importers.onnx.run import Feeds, reference_run
from reluatlas.network.network import Affine, Gather
from tests.data import data_folder
from tests.unit.importers.models import by_onnxruntime, dense_model, one_node, onnx_model

DATA = data_folder()
MODELS = DATA and DATA / "models"
needs_models = pytest.mark.skipif(MODELS is None, reason="no data folder (RELUATLAS_DATA)")


def write(path, model):
    path.write_bytes(model.SerializeToString())
    return path


def test_file_and_compressed_file_and_model_in_memory_agree(tmp_path):
    model = dense_model()
    plain = write(tmp_path / "m.onnx", model)
    packed = tmp_path / "m.onnx.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    x = np.random.default_rng(0).normal(size=(5, 4))
    before = model.SerializeToString()
    values = [load(m)(x) for m in (plain, str(packed), model)]
    assert np.array_equal(values[0], values[1]) and np.array_equal(values[0], values[2])
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    ("dims", "given", "expected"),
    [
        ((1, 4), None, (4,)),
        (("N", 4), None, (4,)),
        ((None, 4), None, (4,)),
        ((0, 4), None, (4,)),
        ((4,), None, (4,)),
        (("N", "features"), (4,), (4,)),
        (("features",), (4,), (4,)),
        ((1, 4), (1, 4), (1, 4)),
        ((3, 4), None, (3, 4)),
    ],
)
def test_batch_axis_is_fixed_absent_or_free(dims, given, expected):
    nodes = [helper.make_node("MatMul", ["x", "W"], ["h"]), helper.make_node("Relu", ["h"], ["y"])]
    net = load(onnx_model(nodes, {"W": np.ones((4, 2))}, shape=dims), input_shape=given)
    assert net.input_shape == expected
    assert net.output_shape == (*expected[:-1], 2)


def test_input_without_a_shape_asks_for_one():
    model = dense_model()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(ArgumentError, match="input_shape"):
        load(model)
    assert load(model, input_shape=(4,)).input_shape == (4,)


def test_free_lengths_ask_for_a_shape():
    with pytest.raises(ArgumentError, match=r"free lengths.*input_shape"):
        load(onnx_model([helper.make_node("Relu", ["x"], ["y"])], shape=("N", "C", 3)))


@pytest.mark.parametrize("shape", [(5,), (2, 4), (1, 1, 4)])
def test_wrong_input_shape_is_refused(shape):
    with pytest.raises(DimensionError, match="input_shape"):
        load(dense_model(), input_shape=shape)


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_other_precisions_are_taken_over_exactly(kind):
    model = dense_model(kind=kind)
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor).astype(dtype)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    stored = onnx.numpy_helper.to_array(model.graph.initializer[0])
    net = load(model)
    assert np.array_equal(net.nodes[1].operators[0].weight, stored.astype(np.float64))
    assert net.notes == ()


def test_mean_and_std_put_inputs_in_the_users_units():
    mean, std = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 4.0, 0.3])
    plain, scaled = load(dense_model()), load(dense_model(), mean=mean, std=std)
    x = np.random.default_rng(0).normal(size=(9, 4))
    np.testing.assert_allclose(scaled(x), plain((x - mean) / std), rtol=1e-12, atol=1e-12)
    assert [n.kind for n in scaled.notes] == ["rounded"]
    assert load(dense_model(), mean=1.0, std=0.5).notes == ()
    with pytest.raises(ArgumentError, match="std"):
        load(dense_model(), std=[1, 1, 0, 1])
    with pytest.raises(DimensionError, match="mean"):
        load(dense_model(), mean=[1, 2])
    with pytest.raises(NonFiniteError, match="mean"):
        load(dense_model(), mean=np.nan)


def broken_files():
    good = dense_model().SerializeToString()
    return {
        "empty": b"",
        "text": b"hello, this is no model at all\n" * 20,
        "zeros": bytes(1000),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
        **{f"truncated at {cut}": good[:cut] for cut in range(1, len(good), 11)},
        "noise": np.random.default_rng(0).bytes(5000),
    }


@pytest.mark.parametrize("name", broken_files())
def test_broken_file_is_one_clear_sentence(tmp_path, name):
    path = tmp_path / "broken.onnx"
    path.write_bytes(broken_files()[name])
    with pytest.raises(ReluAtlasError) as caught:
        load(path)
    assert isinstance(caught.value, ModelFileError | UnsupportedLayerError)
    assert "\n" not in str(caught.value) and 20 < len(str(caught.value)) < 600


def test_flipped_bytes_never_escape_as_other_errors(tmp_path):
    rng = np.random.default_rng(7)
    good = bytearray(dense_model().SerializeToString())
    path = tmp_path / "flipped.onnx"
    refused = 0
    for _ in range(150):
        data = bytearray(good)
        for at in rng.integers(0, len(data), size=3):
            data[at] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        try:
            load(path)
        except ReluAtlasError:
            refused += 1
    assert refused > 50


def test_missing_file_folder_and_unknown_ending(tmp_path):
    with pytest.raises(ModelFileError, match="does not exist"):
        load(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ModelFileError, match="not a file"):
        load(tmp_path / "folder.onnx")
    with pytest.raises(ModelFileError, match=r"expected \.onnx"):
        load(tmp_path / "model.xyz")
    with pytest.raises(ModelFileError, match=r"cannot be read|does not exist"):
        load("nul\0.onnx")


def test_truncated_gzip_and_gzip_that_is_none(tmp_path):
    packed = gzip.compress(dense_model().SerializeToString())
    for data in (packed[:-20], b"no gzip at all"):
        path = tmp_path / "m.onnx.gz"
        path.write_bytes(data)
        with pytest.raises(ModelFileError, match="gzip"):
            load(path)


def test_gzip_bomb_stops_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "MAX_BYTES", 3_000_000)
    path = tmp_path / "bomb.onnx.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    with pytest.raises(ModelFileError, match="3,000,000 bytes, the limit"):
        load(path)


def test_tensor_that_claims_too_much_is_refused_before_anything_is_allocated():
    tracemalloc.start()
    started = time.perf_counter()
    for dims in ([2**20, 2**20], [2**40], [2**62, 2**62], [-1, 4], [5, 4]):
        model = dense_model()
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)
        with pytest.raises(ModelFileError, match="`W`"):
            load(model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000 and time.perf_counter() - started < 5


def test_input_that_claims_too_much_is_refused():
    with pytest.raises(DimensionError, match="limit"):
        load(onnx_model([helper.make_node("Relu", ["x"], ["y"])], shape=(1, 2**40)))


def test_too_many_nodes_are_refused(monkeypatch):
    monkeypatch.setattr(file, "MAX_NODES", 1)
    with pytest.raises(ModelFileError, match="2 nodes; the limit is 1"):
        load(dense_model())


def external_model(tmp_path, location, *, length=48, offset=0):
    model = dense_model()
    tensor = model.graph.initializer[0]
    raw = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, str(value)
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    return write(folder / "m.onnx", model), raw


def test_external_data_beside_the_model_is_read(tmp_path):
    path, raw = external_model(tmp_path, "weights.bin", offset=16)
    (path.parent / "weights.bin").write_bytes(bytes(16) + raw)
    x = np.ones(4)
    assert np.array_equal(load(path)(x), load(dense_model())(x))


def test_external_data_outside_the_folder_is_never_opened(tmp_path):
    outside = tmp_path / "secret.bin"
    for location in ("../secret.bin", str(outside), "sub/../../secret.bin", "link.bin", "..\\secret.bin", ""):
        path, raw = external_model(tmp_path, location)
        outside.write_bytes(raw)
        if not (path.parent / "link.bin").exists():
            (path.parent / "link.bin").symlink_to(outside)
        with pytest.raises(ModelFileError, match="own folder"):
            load(path)


def test_external_data_that_is_missing_or_too_short(tmp_path):
    path, raw = external_model(tmp_path, "weights.bin")
    with pytest.raises(ModelFileError, match="missing"):
        load(path)
    (path.parent / "weights.bin").write_bytes(raw[:-1])
    with pytest.raises(ModelFileError, match="claims 48 bytes"):
        load(path)
    path, raw = external_model(tmp_path, "weights.bin", length=2**40)
    with pytest.raises(ModelFileError, match="claims 48 bytes"):
        load(path)
    with pytest.raises(ModelFileError, match="in memory"):
        load(onnx.load(path, load_external_data=False))


def test_malformed_graphs_are_model_file_errors():
    dangling = onnx_model([helper.make_node("Add", ["x", "nothing"], ["y"], name="add")])
    cycle = onnx_model([helper.make_node("Add", ["x", "b"], ["y"]), helper.make_node("Relu", ["y"], ["b"])])
    twice = onnx_model([helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Abs", ["x"], ["y"])])
    wrong_type = onnx_model([helper.make_node("LeakyRelu", ["x"], ["y"], alpha="much")])
    wrong_shape = one_node("Reshape", {"s": np.array([3, 3])})
    few = onnx_model([helper.make_node("Sub", ["x"], ["y"])])
    for model, words in (
        (dangling, "Add node `add` reads `nothing`"),
        (cycle, "cycle"),
        (twice, "twice"),
        (wrong_type, "`alpha`.*wrong type"),
        (wrong_shape, "Reshape node `tested`"),
        (few, "Sub node `y`"),
    ):
        with pytest.raises(ModelFileError, match=words):
            load(model)


@pytest.mark.parametrize(
    ("name", "start", "words"),
    [
        ("m.h5", b"\x89HDF\r\n\x1a\n", r"Keras.*tf2onnx.*--keras m\.h5"),
        ("m.keras", b"PK\x03\x04", "Keras"),
        ("weights", b"\x89HDF\r\n\x1a\n", "Keras"),
        ("saved_model.pb", b"\x08\x01", "TensorFlow graph"),
        ("m.tflite", b"\x1c\0\0\0TFL3", "TensorFlow Lite.*float model"),
        ("m.lite", b"\x1c\0\0\0TFL3", "TensorFlow Lite"),
        ("m.mlmodel", b"\x08\x04", "Core ML"),
        ("m.nnet", b"// net", "nnet2onnx"),
        ("m.npz", b"PK", r"\[\(W, b\), \.\.\.\]"),
    ],
)
def test_models_in_other_forms_are_named_as_what_they_are(tmp_path, name, start, words):
    path = tmp_path / name
    path.write_bytes(start)
    with pytest.raises(ModelFileError, match=words):
        load(path)


def test_folder_of_a_saved_model_is_named(tmp_path):
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(ModelFileError, match="--saved-model"):
        load(tmp_path / "saved")


def test_nodes_come_in_any_order():
    model = dense_model()
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    x = np.random.default_rng(0).normal(size=(5, 4))
    assert np.array_equal(load(model)(x), load(dense_model())(x))


def test_long_names_are_cut_in_messages():
    model = onnx_model([helper.make_node("Gelu", ["x"], ["y"], name="n" * 10**6)], opset=20)
    with pytest.raises(UnsupportedLayerError) as caught:
        load(model)
    assert len(str(caught.value)) < 400


def test_names_that_are_no_text_are_one_sentence(tmp_path):
    path = tmp_path / "m.onnx"
    for name in (b"gemm", b"relu"):
        path.write_bytes(dense_model().SerializeToString().replace(name, b"\xff\xfe\xfd\xfc"))
        with pytest.raises(ReluAtlasError) as caught:
            load(path)
        assert "UTF-8" in str(caught.value) and "\n" not in str(caught.value)


def test_output_that_does_not_depend_on_the_input_is_refused():
    with pytest.raises(UnsupportedLayerError, match="does not depend"):
        load(onnx_model([helper.make_node("Abs", ["c"], ["y"])], {"c": np.ones(3)}))


def test_operator_sets_out_of_range_are_refused():
    for opset in (6, 999):
        with pytest.raises(UnsupportedLayerError, match=f"operator set {opset}"):
            load(dense_model(opset=opset))


def test_integer_input_is_refused():
    with pytest.raises(UnsupportedLayerError, match="no tensor of floats"):
        load(dense_model(kind=TensorProto.INT64))


def test_nodes_that_the_output_does_not_need_are_left_out():
    model = dense_model()
    model.graph.node.append(helper.make_node("Tanh", ["h"], ["unused"]))
    assert load(model).n_neurons == 3


@needs_models
@pytest.mark.parametrize(
    ("name", "shape", "neurons"),
    [
        ("ACASXU_run2a_1_1_batch_2000", (1, 1, 5), 300),
        ("ACASXU_run2a_2_7_batch_2000", (1, 1, 5), 300),
        ("Convnet_maxpool", (1, 28, 28), 23328),
        ("cifar_base_kw", (3, 32, 32), 3172),
        ("mnist-net_256x2", (784, 1), 512),
        ("mnist-net_256x4", (784, 1), 1024),
        ("resnet_2b", (3, 32, 32), 6244),
        ("test_nano", (1,), 1),
        ("test_tiny", (1,), 1),
        ("test_small", (1,), 4),
    ],
)
def test_real_files_compute_what_onnxruntime_does(name, shape, neurons):
    assert MODELS is not None
    started = time.perf_counter()
    net = load(MODELS / f"{name}.onnx")
    assert time.perf_counter() - started < 2
    assert net.input_shape == shape and net.n_neurons == neurons
    model = onnx.load(MODELS / f"{name}.onnx")
    stored = {t.name for t in model.graph.initializer}
    (entry,) = (i for i in model.graph.input if i.name not in stored)
    full = tuple(d.dim_value for d in entry.type.tensor_type.shape.dim)
    points = np.random.default_rng(0).random((1000, *shape)).astype(np.float32)
    got, output = net(points).reshape(1000, -1), model.graph.output[0].name
    expected = by_onnxruntime(model, points, full, output, entry.name)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    feeds = Feeds({entry.name: full}, {entry.name: np.dtype(np.float64)})
    part = extract(model, model.graph.node, shapes=feeds.shapes, output=output)
    expected = reference_run(in_float64(part), feeds)(points.astype(float))[output]
    error = np.abs(got - expected.reshape(1000, -1)).max()
    assert error <= 1e-12 * np.abs(expected).max()


@needs_models
def test_memory_stays_far_below_dense_matrices():
    assert MODELS is not None
    load(MODELS / "test_nano.onnx")  # imports
    tracemalloc.start()
    try:
        net = load(MODELS / "resnet_2b.onnx")
        net(np.zeros((4, *net.input_shape)))
        net.affine_at(np.zeros((2, *net.input_shape)), outputs=[0])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    nodes = (n for n in net.nodes if isinstance(n, Affine))
    dense = sum(8 * o.n_in * o.n_out for n in nodes for o in n.operators if not isinstance(o, Gather))
    assert dense > 1e8
    assert peak < dense / 4
