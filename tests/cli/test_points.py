"""Points from files and from the command line: tables with and without names, rows, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.cli.points import PointUnits, read_files, typed_points
from reluatlas.cli.through import spread
from reluatlas.errors import ArgumentError, DimensionError, DomainError
from tests.cli.run import dense_layers, write_onnx


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("at m.onnx --data a.npy b.npy --json", "at m.onnx --data a.npy --data b.npy --json"),
        ("explore --data a.npy b.npy m.onnx", "explore --data a.npy --data b.npy m.onnx"),
        ("affine m.onnx --data a.npy b.npy", "affine m.onnx --data a.npy b.npy"),
        ("at m.onnx --data=a.npy b.npy --at -1,2", "at m.onnx --data a.npy --data b.npy --at -1,2"),
    ],
)
def test_data_takes_many_values_where_it_names_points(given, expected):
    assert spread(given.split()) == expected.split()


@pytest.mark.parametrize("names", ["", "width,height,depth\n"])
def test_a_table(tmp_path, names):
    X = np.random.default_rng(0).normal(size=(4, 3))
    path = tmp_path / "X.csv"
    path.write_text(names + "\n".join(",".join(map(repr, row)) for row in X.tolist()) + "\n\n", encoding="utf-8")
    whole = read_files([str(path)], (3,), "--data")
    assert np.array_equal([p.x for p in whole], X) and [p.label for p in whole][:2] == ["X[0]", "X[1]"]
    some = read_files([f"{path}:2,-1"], (3,), "--data")
    assert np.array_equal([p.x for p in some], X[[2, -1]])
    assert all(np.array_equal(eval(p.code, {"np": np}), p.x) for p in [*whole, *some])


def test_one_line_or_one_column_is_a_point(tmp_path):
    (tmp_path / "row.csv").write_text("1, 2, 3\n", encoding="utf-8")
    (tmp_path / "column.csv").write_text("1\n2\n3\n", encoding="utf-8")
    row, column = read_files([str(tmp_path / "row.csv"), str(tmp_path / "column.csv")], (3,), "--data")
    assert row.x.tolist() == column.x.tolist() == [1.0, 2.0, 3.0] and row.label == "row"
    assert eval(column.code, {"np": np}).reshape(-1).tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no numbers"),
        ("a,b,c\n", "holds no numbers"),
        ("1,2,3\n4,5\n", "line 2 has 2 numbers but line 1 has 3"),
        ("1,2,3\n4,five,6\n", "line 2: 'five' is not a number"),
        ("1,2,3\n4,,6\n", "line 2: '' is not a number"),
        ("1,2,nan\n4,5,6\n", "NaN"),
        ("1,2\n3,4\n5,6\n7,8\n", "shape (4, 2)"),
        ("1;2;3\n", "holds no numbers"),
    ],
)
def test_tables_that_are_refused(tmp_path, text, says):
    path = tmp_path / "X.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((ArgumentError, DimensionError, DomainError)) as caught:
        read_files([str(path)], (3,), "--data")
    assert says in str(caught.value) and "X.csv" in str(caught.value)


def test_a_table_that_is_no_text_or_not_there(tmp_path):
    (tmp_path / "X.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ArgumentError, match="no table of numbers"):
        read_files([str(tmp_path / "X.csv")], (3,), "--data")
    with pytest.raises(ArgumentError, match=r"`--data .*missing\.csv`: there is no such file"):
        read_files([str(tmp_path / "missing.csv")], (3,), "--data")


def test_typed_points():
    net = ra.load([(np.ones((1, 2)), None)])
    (point,) = typed_points(["-0.5, 1e3"], net, "--at")
    assert point.x.tolist() == [-0.5, 1000.0] and point.label == "(-0.5, 1000)"
    assert np.array_equal(eval(point.code, {"np": np}), point.x)
    for text, says in {"1,x": "not numbers", "": "not numbers", "1,2,3": "has 3 numbers", "1,inf": "infinite"}.items():
        with pytest.raises((ArgumentError, DimensionError, DomainError), match=says):
            typed_points([text], net, "--at")


def test_images_on_the_command_line(command, tmp_path):
    rng = np.random.default_rng(0)
    model = write_onnx(tmp_path / "net.onnx", dense_layers((300, 6, 3)), input_shape=(3, 10, 10))
    X = rng.integers(0, 256, (3, 3, 10, 10), dtype=np.uint8)
    np.save(tmp_path / "X.npy", X / 255.0)
    np.save(tmp_path / "last.npy", np.moveaxis(X, 1, -1))
    right = command("trace", model, "--through", "X.npy:0,1", "--json").numbers
    refused = command("trace", model, "--through", "last.npy:0,1")
    assert refused.code == 2 and refused.err.count("\n") == 1
    assert "looks like NHWC, channels last. Pass `--layout nhwc`" in refused.err
    turned = command("trace", model, "--through", "last.npy:0,1", "--layout", "nhwc", "--scale", "255", "--json")
    assert turned.err == "" and turned.numbers["legs"][0]["breakpoints"] == right["legs"][0]["breakpoints"]
    pixels = command("trace", model, "--through", "last.npy:0,1", "--layout", "NHWC", "--json")
    assert pixels.code == 0 and pixels.err.count("\n") == 1 and "`--scale 255`" in pixels.err
    for command_of in (
        ["cells", "--count-only", "--through", "last.npy"], ["at", "--data", "last.npy:0"],
        ["explore", "--max-cells", "2", "--data", "last.npy:0"], ["affine", "--out", "m.npy", "--data", "last.npy:0"],
    ):  # fmt: skip
        outcome = command(command_of[0], model, *command_of[1:])
        assert outcome.code == 2 and "looks like NHWC" in outcome.err, command_of
    typo = command("trace", model, "--through", "last.npy:0,1", "--layout", "hwc")
    assert typo.code == 2 and "`--layout hwc` is unknown; expected nchw or nhwc" in typo.err


def test_the_code_of_a_point_reads_it(tmp_path):
    net = ra.load([(np.ones((1, 300)), None)])
    X = np.random.default_rng(0).integers(0, 256, (2, 300), dtype=np.uint8)
    np.savez(tmp_path / "X.npz", a=X, b=np.zeros(3))
    (tmp_path / "X.npy").write_bytes(b"")
    np.save(tmp_path / "X.npy", X)
    units = PointUnits(scale=255.0, mean="0.5")
    for item, given in ((f"{tmp_path}/X.npz:a:1", units), (f"{tmp_path}/X.npz", units), (f"{tmp_path}/X.npy:0", units)):
        for point in read_files([item], (300,), "--data", units=given):
            assert np.array_equal(eval(point.code, {"np": np, "ra": ra, "net": net}).reshape(-1), point.x)
