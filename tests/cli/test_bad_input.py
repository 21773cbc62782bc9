"""Every bad input gives one clear line, exit code 2, quickly, and nothing in --out."""

from __future__ import annotations

import os
import pickle
import time

import numpy as np
import pytest
from onnx import StringStringEntryProto, TensorProto

from tests.cli.run import contents, dense_layers, save_points, write_onnx
from tests.unit.importers.models import dense_model, one_node

SECONDS = 5.0  # of this process: importing torch takes most of it, and only once


@pytest.fixture
def plane(tmp_path):
    """Return a network of two inputs."""
    return write_onnx(tmp_path / "plane.onnx", dense_layers((2, 4, 1)))


@pytest.fixture
def deep(tmp_path):
    """Return a network of five inputs and three points of its space."""
    model = write_onnx(tmp_path / "deep.onnx", dense_layers((5, 6, 3)))
    return model, save_points(tmp_path, np.random.default_rng(1).normal(size=(3, 5)))


def refused(command, *arguments, says, out="result"):
    """Run a command; it must fail with one line that says all of `says`, and leave nothing in --out."""
    start = time.process_time()
    outcome = command(*arguments, *(("--out", out) if out else ()))
    assert time.process_time() - start < SECONDS
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("reluatlas: ") and outcome.err.count("\n") == 1 and outcome.err.endswith("\n")
    for text in says:
        assert text in outcome.err, outcome.err
    assert not (out and os.path.exists(out))
    assert not [name for name in os.listdir() if name.startswith(".")]
    return outcome.err


def broken_files(tmp_path):
    """Return, by name, files that are no model."""
    whole = dense_model().SerializeToString()
    made = {
        "empty.onnx": b"",
        "truncated.onnx": whole[: len(whole) // 2],
        "text.onnx": b"This is not a model.\n" * 20,
        "picture.onnx": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
        "short.onnx.gz": b"\x1f\x8b\x08\x00",
        "model.txt": b"hello",
        "truncated.pt": b"PK\x03\x04" + b"\0" * 40,
        "empty.safetensors": b"",
    }
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    return made


@pytest.mark.parametrize("verb", ["inspect", "cells"])
def test_files_that_are_no_model(command, tmp_path, verb):
    domain = ("--box", "-1,1") if verb == "cells" else ()
    for name in broken_files(tmp_path):
        refused(command, verb, name, *domain, says=[name])
    refused(command, verb, "missing.onnx", *domain, says=["`missing.onnx` does not exist", "Check the path"])
    refused(command, verb, tmp_path, *domain, says=["known ending"])
    (tmp_path / "folder.onnx").mkdir()
    refused(command, verb, "folder.onnx", *domain, says=["`folder.onnx` is not a file"])


def test_a_name_with_control_characters_stays_on_one_line(command):
    err = refused(command, "inspect", "no\nsuch\x1b[31mmodel.onnx", says=["no such\\x1b[31mmodel.onnx"])
    assert "\x1b" not in err


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(command, tmp_path, value):
    layers = dense_layers((2, 4, 1))
    layers[0][0][1, 0] = value
    write_onnx(tmp_path / "m.onnx", layers)
    refused(command, "inspect", "m.onnx", says=["`fc0`", "NaN or infinite"])
    refused(command, "cells", "m.onnx", "--box", "-1,1", says=["`fc0`", "NaN or infinite"])


def test_an_unsupported_operator_is_named_with_its_node(command, tmp_path):
    (tmp_path / "m.onnx").write_bytes(one_node("Erf").SerializeToString())
    refused(command, "inspect", "m.onnx", says=["`tested`", "Erf"])
    refused(command, "cells", "m.onnx", "--box", "-1,1", says=["`tested`", "Erf"])


def test_shapes_that_do_not_fit_or_are_open(command, tmp_path):
    model = dense_model(shape=(1, 5))  # its weights take 4
    (tmp_path / "wrong.onnx").write_bytes(model.SerializeToString())
    refused(command, "inspect", "wrong.onnx", says=["5", "4"])
    (tmp_path / "open.onnx").write_bytes(dense_model(shape=("N", "features")).SerializeToString())
    refused(command, "inspect", "open.onnx", says=["free lengths", "Pass `--input-shape`"])
    assert command("inspect", "open.onnx", "--input-shape", "4").code == 0
    refused(command, "inspect", "open.onnx", "--input-shape", "4,x", says=["`--input-shape 4,x`", "1,28,28"])


def test_a_tensor_that_claims_more_than_is_there(command, tmp_path):
    model = dense_model()
    model.graph.initializer[0].dims[:] = [2**20, 2**20]
    (tmp_path / "huge.onnx").write_bytes(model.SerializeToString())
    refused(command, "inspect", "huge.onnx", says=["claims 1,099,511,627,776 numbers"])


def test_external_data_outside_the_folder(command, tmp_path):
    model = dense_model()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.append(StringStringEntryProto(key="location", value="../secret"))
    (tmp_path / "outside.onnx").write_bytes(model.SerializeToString())
    refused(command, "inspect", "outside.onnx", says=["../secret", "not opened"])


class _Bomb:
    def __reduce__(self):
        return os.mkdir, ("pickled-code-was-run",)


def test_pickled_code_is_never_run(command, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.save({"w": _Bomb()}, tmp_path / "bomb.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(_Bomb()))
    (tmp_path / "net.py").write_text("import torch\nnet = torch.nn.Linear(2, 1)\n")
    for name, says in (("bomb.pt", "never run"), ("plain.pt", "not a file of torch.save")):
        refused(command, "inspect", name, says=[name, says])
        refused(command, "inspect", name, "--model-module", "net.py:net", says=[name, says])
    assert not (tmp_path / "pickled-code-was-run").exists()


def test_weights_need_a_module_that_can_be_had(command, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.save(torch.nn.Linear(2, 1).state_dict(), tmp_path / "w.pt")
    (tmp_path / "net.py").write_text("import torch\nnumber = 3\ndef wrong():\n    raise RuntimeError('no\\nluck')\n")
    refused(command, "inspect", "w.pt", says=["without an architecture", "Pass `--model-module`"])
    for spec, says in {
        "net": "WHERE:NAME",
        "nowhere.py:net": "no file `nowhere.py`",
        "no_such_package.part:net": "ModuleNotFoundError",
        "net.py:net": "`net.py` has no `net`",
        "net.py:number": "is a int",
        "net.py:wrong": "RuntimeError: no luck",
    }.items():
        refused(command, "inspect", "w.pt", "--model-module", spec, says=[f"`--model-module {spec}`", says])


def test_a_slice_needs_three_points_that_span_a_plane(command, deep, tmp_path):
    model, (a, b, c) = deep
    points = [np.load(p) for p in (a, b, c)]
    np.save("line.npy", points[0] + 2 * (points[1] - points[0]))
    refused(command, "cells", model, "--through", a, b, "line.npy", says=["three collinear points"])
    refused(command, "cells", model, "--through", a, a, c, says=["three collinear points"])
    refused(command, "cells", model, "--through", a, b, says=["2 points", "expected 3"])
    refused(command, "cells", model, "--through", a, b, c, a, says=["4 points", "expected 3"])
    np.save("rows.npy", np.stack([*points, points[0]]))
    refused(command, "cells", model, "--through", "rows.npy", says=["4 points", "rows.npy:0,1,2"])
    refused(command, "cells", model, "--through", "rows.npy:0,1,9", says=["row 9", "4 rows"])
    refused(command, "cells", model, "--through", "rows.npy:0,1", says=["2 points", "expected 3"])


def test_points_that_cannot_be_read(command, deep, tmp_path):
    model, (a, b, _) = deep
    np.save("nan.npy", np.array([1.0, np.nan, 0, 0, 0]))
    np.save("short.npy", np.zeros(4))
    np.save("complex.npy", np.zeros(5, dtype=complex))
    np.save("objects.npy", np.array([_Bomb()] * 5, dtype=object), allow_pickle=True)
    with open("claims.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (2**20, 2**20)})
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "cut.npy").write_bytes(a.read_bytes()[:-8])
    (tmp_path / "text.npy").write_text("1 2 3 4 5")
    for name, says in {
        "nan.npy": "NaN",
        "short.npy": "shape (4,)",
        "complex.npy": "complex128",
        "objects.npy": "not an array of numbers",
        "claims.npy": "truncated",
        "empty.npy": "empty",
        "cut.npy": "truncated",
        "text.npy": "not an array of numbers",
        "missing.npy": "no such file",
        "points.txt": "is not a .npy, .npz, .csv or .png file",
    }.items():
        refused(command, "cells", model, "--through", a, b, name, says=[name, says])
    assert not (tmp_path / "pickled-code-was-run").exists()


def test_domains_that_do_not_fit(command, plane, deep):
    model, (a, b, c) = deep
    refused(command, "cells", plane, says=["no domain was given", "--box", "--through"])
    refused(command, "cells", model, "--box", "0,1", "--through", a, b, c, says=["both given"])
    refused(command, "cells", model, "--space", "--through", a, b, c, says=["both given"])
    refused(command, "cells", plane, "--box", "-1,1", "--box", "0,1", "--box", "2,3", says=["3 sides", "2 inputs"])
    refused(command, "cells", plane, "--through", a, b, c, says=["shape (5,)", "(2,)"])
    refused(command, "cells", plane, "--box", "1,1", says=["`--box` is empty or flat"])
    refused(command, "cells", plane, "--box", "0,1,2,1", says=["empty or flat in coordinate 1"])
    refused(command, "cells", plane, "--box", "nan,1", says=["NaN"])
    refused(command, "cells", plane, "--box", "-inf,1", says=["infinite"])
    refused(command, "cells", plane, "--box", "0,1,2", says=["3 numbers", "pairs"])
    refused(command, "cells", plane, "--box", "a,b", says=["'a' is not a number"])
    refused(command, "cells", plane, "--box", "", says=["'' is not a number"])


@pytest.mark.parametrize(
    ("option", "values"),
    {
        "--jobs": ["0", "-1", "two", "1.5"],
        "--max-cells": ["0", "-3", "many", "1e3", "nan"],
        "--max-seconds": ["0", "-1", "nan", "inf", "soon", "1e300"],
        "--margin": ["-0.1", "nan", "inf", "wide"],
        "--seed": ["-1", "x"],
    }.items(),
)
def test_numbers_out_of_range(command, plane, option, values):
    for value in values:
        refused(command, "cells", plane, "--box", "-1,1", option, value, says=[option, f"got '{value}'", "expected"])


@pytest.mark.parametrize("sides", ["-1e308,1e308", "5e-324,1e-323", "0,1e200", "1e-200,2e-200"])
def test_boxes_beyond_float64(command, plane, sides):
    for verb in (("cells",), ("cells", "--count-only"), ("at", "--at", "0,0"), ("explore", "--at", "0,0")):
        more = ("--max-cells", "5") if verb[0] == "explore" else ()
        refused(command, verb[0], plane, *verb[1:], f"--box={sides}", *more, says=["`--box`", "2**", "units"])


def test_points_beyond_float64(command, plane, tmp_path):
    np.save("far.npy", np.array([[1e308, 1e308], [-1e308, 1e308]]))
    np.save("near.npy", np.array([[5e-324, 0], [0, 5e-324]]))
    says = ["has a coordinate of 1e+308", "2**500", "units"]
    for at in ("1e308,1e308", "0.5,1e308"):
        refused(command, "at", plane, "--at", at, says=says)
        refused(command, "at", plane, "--at", at, "--check", says=says)
        refused(command, "explore", plane, "--at", at, "--max-cells", "9", says=says)
        refused(command, "explore", plane, "--at", "0.1,0.2", "--target", at, "--max-cells", "9", says=says)
    refused(command, "at", plane, "--data", "far.npy", says=says)
    refused(command, "trace", plane, "--through", "far.npy", says=says)
    refused(command, "trace", plane, "--through", "near.npy", says=["4.94066e-324", "2**-500"])
    # what is exact at any finite point is given
    assert command("affine", plane, "--data", "far.npy", "--out", "maps.npy").code == 0
    assert command("at", plane, "--at", "5e-324,1e-310").code == 0


def test_names_in_a_model_that_are_not_utf8(command, tmp_path):
    whole = write_onnx(tmp_path / "m.onnx", dense_layers((2, 4, 1))).read_bytes()
    for old, new in ((b"fc0", b"f\xff0"), (b"h0", b"\xff0"), (b"W0", b"\xfe0"), (b"Relu", b"Rel\xff")):
        assert old in whole
        (tmp_path / "bad.onnx").write_bytes(whole.replace(old, new))
        for verb in (("inspect",), ("cells", "--box", "-1,1")):
            refused(command, verb[0], "bad.onnx", *verb[1:], says=["`bad.onnx` holds a name that is not UTF-8"])


def test_a_file_name_that_is_not_utf8(command, plane, tmp_path):
    try:
        (tmp_path / "m\udcff.onnx").write_bytes(plane.read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("file names on this system are UTF-8")
    outcome = command("cells", "m\udcff.onnx", "--box", "-1,1", "--out", "result", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert "m\\udcff.onnx" in (tmp_path / "result" / "report.html").read_text(encoding="utf-8")


def test_names_of_a_million_characters(command, tmp_path):
    name = "a" * 10**6
    model = dense_model()
    for i, node in enumerate(model.graph.node):
        node.name = f"{name}{i}"
    (tmp_path / "long.onnx").write_bytes(model.SerializeToString())
    shown = command("inspect", "long.onnx")
    assert shown.code == 0 and len(shown.out) < 6000 and "aaa...aaa" in shown.out
    model = one_node("Erf")
    model.graph.node[-1].name = name
    (tmp_path / "long.onnx").write_bytes(model.SerializeToString())
    assert len(refused(command, "inspect", "long.onnx", says=["Erf", "aaa..."])) < 2000
    assert len(refused(command, "inspect", f"{name[:4000]}.onnx", says=["aaa...aaa"])) < 700
    assert len(refused(command, "cells", "long.onnx", "--box", name, says=["aaa...aaa"])) < 1200
    assert len(refused(command, "cellz" + name, says=["aaa...aaa"], out=None)) < 1200


def test_modules_that_end_the_program(command, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.save(torch.nn.Linear(2, 1).state_dict(), tmp_path / "w.pt")
    ends = "import sys\nimport torch\n"
    (tmp_path / "imported.py").write_text(ends + "sys.exit(0)\n")
    (tmp_path / "called.py").write_text(ends + "def net():\n    sys.exit(0)\n")
    (tmp_path / "run.py").write_text(
        ends + "class Net(torch.nn.Linear):\n    def forward(self, x):\n        sys.exit(0)\nnet = Net(2, 1)\n"
    )
    for name in ("imported", "called", "run"):
        spec = f"{name}.py:net"
        says = [f"`--model-module {spec}`", "its code ended the program (SystemExit: 0)"]
        refused(command, "inspect", "w.pt", "--model-module", spec, "--input-shape", "2", says=says)


def test_words_that_are_no_command_or_option(command, plane):
    refused(command, "cellz", says=["cellz", "reluatlas --help"], out=None)
    refused(command, "cells", says=["MODEL", "reluatlas cells --help"], out=None)
    refused(command, "cells", plane, "--boxx", "0,1", says=["--boxx"])
    refused(command, "cells", plane, "stray", "--box", "0,1", says=["stray"])
    refused(command, "cells", plane, "--box", says=["--box"], out=None)


@pytest.mark.parametrize(("verb", "option"), [("at", "--data"), ("trace", "--through")])
def test_points_without_their_option(command, plane, verb, option):
    refused(command, verb, plane, "x.npy:0", says=[f"`x.npy:0` stands alone; points come after `{option}`"], out=None)


def test_a_folder_of_others_is_left_alone(command, plane, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    for out, says in (("mine", "notes.txt"), ("file", "is a file"), ("file/below", "`file`, which is a file")):
        for verb in (("cells", plane, "--box", "-1,1"), ("inspect", plane), ("demo",)):
            before = contents(tmp_path)
            outcome = command(*verb, "--out", out)
            assert (outcome.code, outcome.out) == (2, "") and outcome.err.count("\n") == 1
            assert f"output folder `{out}`" in outcome.err and says in outcome.err
            assert contents(tmp_path) == before
