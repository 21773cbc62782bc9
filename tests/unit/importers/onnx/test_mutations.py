"""300 damaged ONNX models: each ends in the answer of onnxruntime or in a sentence, soon and in little memory.

All run in one other process, whose memory has a limit, so that nothing here can take the machine down.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from tests.unit.importers.models import one_node, onnx_model

N_MODELS = 300
SECONDS = 10.0
BYTES = 1_500_000_000
NUMBERS = (0, 1, -1, 2, 3, 7, -5, 255, 2**16, 2**30, 2**31 - 1, 2**40, 2**62, -(2**63))


def originals() -> list[onnx.ModelProto]:
    rng = np.random.default_rng(0)
    dense = [
        helper.make_node("Gemm", ["x", "W", "b"], ["h"], transB=1),
        helper.make_node("BatchNormalization", ["h", "s", "t", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Split", ["r", "parts"], ["p", "q"], axis=1),
        helper.make_node("Concat", ["q", "p", "q"], ["c"], axis=1),
        helper.make_node("Softmax", ["c"], ["y"], axis=1),
    ]
    numbers = {
        "W": rng.normal(size=(6, 4)), "b": rng.normal(size=6), "parts": np.array([2, 4]),
        **{n: rng.random(6) + 0.5 for n in "stmv"},
    }  # fmt: skip
    image = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2], kernel_shape=[3, 3]),
        helper.make_node("Greater", ["c", "zero"], ["g"]),
        helper.make_node("Where", ["g", "c", "zero"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1]),
        helper.make_node("Resize", ["p", "", "scales"], ["u"], mode="linear"),
        helper.make_node("Reshape", ["u", "shape"], ["f"]),
        helper.make_node("TopK", ["f", "k"], ["y", "places"], axis=1),
    ]
    kernels = {
        "w": rng.normal(size=(2, 1, 3, 3)), "zero": np.float32(0), "scales": np.array([1, 1, 2, 2], np.float32),
        "shape": np.array([1, -1]), "k": np.array([3]),
    }  # fmt: skip
    moved = [
        helper.make_node("Pad", ["x", "pads"], ["a"]),
        helper.make_node("Tile", ["a", "times"], ["b"]),
        helper.make_node("CumSum", ["b", "axis"], ["c"]),
        helper.make_node("Einsum", ["c", "E"], ["d"], equation="bti,io->bto"),
        helper.make_node("Transpose", ["d"], ["e"], perm=[0, 2, 1]),
        helper.make_node("AveragePool", ["e"], ["f"], kernel_shape=[2], pads=[1, 0]),
        helper.make_node("ReduceL1", ["f"], ["y"], axes=[2], keepdims=0),
    ]
    constants = {
        "pads": np.array([0, 1, 0, 0, 0, 1]), "times": np.array([1, 1, 2]), "axis": np.int64(1),
        "E": rng.normal(size=(10, 3)),
    }  # fmt: skip
    eight = [helper.make_node("Concat", [f"t{i}"] * 8, [f"t{i + 1}"], axis=1) for i in range(10)]
    eight[0].input[:] = ["x"] * 8
    return [
        onnx_model(dense, numbers, opset=13),
        onnx_model(image, kernels, shape=(1, 1, 6, 6), opset=13),
        onnx_model(moved, constants, shape=(1, 3, 4), opset=13),
        onnx_model(eight, {}, output="t10", opset=13),
    ]


def huge() -> list[onnx.ModelProto]:
    """Models that ask for much more than they are."""
    image = {"shape": (1, 1, 8, 8)}
    weight = {"w": np.ones((1, 1, 3, 3))}
    made = [one_node("Conv", weight, pads=[2**p] * 4, **image) for p in (11, 12, 13, 20, 30)]
    made += [one_node("Conv", weight, pads=[2**30] * 4, strides=[2**29] * 2, **image)]
    made += [one_node("MaxPool", kernel_shape=[3, 3], pads=[2**p] * 4, **image) for p in (1, 12, 30)]
    made += [one_node("MaxPool", kernel_shape=[2**p, 2**p], pads=[2**p] * 4, **image) for p in (5, 7, 12, 30)]
    made += [one_node("AveragePool", kernel_shape=[2**p, 2**p], pads=[2**p] * 4, **image) for p in (5, 7, 12, 30)]
    made += [one_node("ConvTranspose", weight, strides=[2**p] * 2, **image) for p in (8, 10, 12, 30)]
    sizes = [np.array([1, 1, 2**p, 2**p]) for p in (8, 10, 12, 20, 40)]
    made += [one_node("Resize", {"n": n}, inputs=["h", "", "", "n"], mode="linear", **image) for n in sizes]
    made += [one_node("Tile", {"n": np.array([1, 2**p])}) for p in (18, 20, 22, 24, 40)]
    made += [one_node("Expand", {"n": np.array([2**p, 4])}) for p in (18, 20, 22, 24, 40)]
    return made


def mutated(model: onnx.ModelProto, rng: random.Random) -> bytes:
    """Return a model with one to three things in it changed."""
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    for _ in range(rng.randint(1, 3)):
        rng.choice(EDITS)(twin.graph, rng)
    if rng.random() < 0.1:
        twin.opset_import[0].version = rng.choice([6, 7, 9, 11, 13, 18, 22, 99])
    data = bytearray(twin.SerializeToString())
    if rng.random() < 0.3:
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _attribute(graph: Any, rng: random.Random) -> None:
    found = [a for n in graph.node for a in n.attribute]
    if not found:
        return
    attribute = rng.choice(found)
    if attribute.type == AttributeProto.INTS and attribute.ints:
        if rng.random() < 0.3:
            attribute.ints.append(rng.choice(NUMBERS))
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(NUMBERS)
    elif attribute.type == AttributeProto.INT:
        attribute.i = rng.choice(NUMBERS)
    elif attribute.type == AttributeProto.STRING:
        attribute.s = rng.choice([b"", b"linear", b"cubic", b"bti,io", b"b...,io->bo", b"\xff"])
    else:
        attribute.type = AttributeProto.INT


def _constant(graph: Any, rng: random.Random) -> None:
    if not graph.initializer:
        return
    tensor = rng.choice(list(graph.initializer))
    try:
        array = numpy_helper.to_array(tensor).copy()
    except (KeyError, TypeError, ValueError):  # damaged already
        return
    if array.dtype.kind == "i" and array.size:
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice(NUMBERS)
    elif array.size:
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice([np.nan, np.inf, 1e38, 1e-45, 0.0, -1.0])
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def _dims(graph: Any, rng: random.Random) -> None:
    if not graph.initializer:
        return
    tensor = rng.choice(list(graph.initializer))
    if tensor.dims and rng.random() < 0.5:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
    else:
        tensor.data_type = rng.choice([TensorProto.INT64, TensorProto.DOUBLE, TensorProto.STRING, 99])


def _input(graph: Any, rng: random.Random) -> None:
    node = rng.choice(list(graph.node))
    names = ["", "x", "nowhere", *(o for n in graph.node for o in n.output), *(t.name for t in graph.initializer)]
    if node.input and rng.random() < 0.8:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)
    elif node.input:
        del node.input[-1]


def _output(graph: Any, rng: random.Random) -> None:
    node = rng.choice(list(graph.node))
    node.output[0] = rng.choice(["", "y", *(o for n in graph.node for o in n.output)])


def _entry(graph: Any, rng: random.Random) -> None:
    entry = graph.input[0].type.tensor_type
    if rng.random() < 0.7 and entry.shape.dim:
        entry.shape.dim[rng.randrange(len(entry.shape.dim))].dim_value = rng.choice(NUMBERS)
    else:
        entry.elem_type = rng.choice([TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.BOOL])


def _operator(graph: Any, rng: random.Random) -> None:
    kinds = ["Abs", "Sign", "Gelu", "MaxPool", "Not", "Concat", "MatMul", "Trilu", "Mul", "TopK", "Einsum", "Nonsense"]
    rng.choice(list(graph.node)).op_type = rng.choice(kinds)


def _order(graph: Any, rng: random.Random) -> None:
    nodes = list(graph.node)
    rng.shuffle(nodes)
    del graph.node[:]
    graph.node.extend(nodes)


EDITS = (_attribute, _attribute, _attribute, _constant, _constant, _dims, _input, _output, _entry, _operator, _order)


def _most_memory() -> int:
    """Return the bytes that this process took at most; not what the one that started it had, as `ru_maxrss` may."""
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def worker(folder: Path) -> None:
    """Open all models of a folder; print for each what came of it, the seconds, and the most memory so far."""
    from reluatlas.errors import ReluAtlasError
    from reluatlas.importers.load import load

    for path in sorted(folder.glob("*.onnx")):
        began, cpu = time.perf_counter(), time.process_time()
        try:
            net = load(path)
            word = f"opened {net.input_shape} -> {net.output_shape}"
        except ReluAtlasError as error:
            word = f"{type(error).__name__}: {error}"
        except BaseException as error:
            word = f"FOREIGN {type(error).__name__}: {error}"
        most = _most_memory()
        seconds = min(time.perf_counter() - began, time.process_time() - cpu)
        print(json.dumps([path.name, word, seconds, most]), flush=True)


def test_damaged_models_end_in_an_answer_or_a_sentence(tmp_path):
    rng = random.Random(1)
    whole = originals()
    models = [m.SerializeToString() for m in (*huge(), whole[-1])]
    models += [mutated(whole[i % len(whole)], rng) for i in range(N_MODELS - len(models))]
    for i, data in enumerate(models):
        (tmp_path / f"{i:03d}.onnx").write_bytes(data)
    code = f"from pathlib import Path; from {__name__} import worker; worker(Path({str(tmp_path)!r}))"
    root = str(Path(__file__).resolve().parents[4])
    paths = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=600, cwd=root,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(rows) == len(models), done.stderr[-2000:]
    assert [row for row in rows if row[1].startswith("FOREIGN")] == []
    assert [row for row in rows if row[2] > SECONDS] == []
    assert [row for row in rows if row[3] > BYTES] == []
    opened = [row for row in rows if row[1].startswith("opened")]
    assert len(opened) >= 20 and len(rows) - len(opened) > 150
    for _, word, _, _ in rows:
        assert "\n" not in word and len(word) < 900
