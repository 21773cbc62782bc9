"""Weights in files as trainers write them, wider than the module, of old torch; files that are something else."""

from __future__ import annotations

import io
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from reluatlas.errors import ArgumentError, ModelFileError
from reluatlas.importers.load import load

torch = pytest.importorskip("torch", reason="torch is not installed")
nn = torch.nn


def make(*sizes: int, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    parts: list[Any] = []
    for a, b in pairwise(sizes or (2, 3, 1)):
        parts += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


STATE = make(seed=1).state_dict()
OTHER = make(seed=2).state_dict()
WIDER = make(2, 5, 1, seed=3).state_dict()
POINTS = np.random.default_rng(0).normal(size=(5, 2))


def named(prefix: str, state: Any = STATE) -> dict[str, Any]:
    return {prefix + name: tensor for name, tensor in state.items()}


def inside(state: Any) -> dict[str, Any]:
    return {name.replace("0.", "0._orig_mod."): tensor for name, tensor in state.items()}


# file: what it holds, and words of the notes
FILES: dict[str, tuple[Any, list[str]]] = {
    "plain.pt": (STATE, []),
    "pytorch_model.bin": (STATE, []),
    "weights.pkl": (STATE, []),
    "best.pth.tar": ({"state_dict": STATE, "epoch": 3}, ["`state_dict`"]),
    "parallel.pt": (named("module."), ["prefix `module.`"]),
    "compiled.pt": (named("_orig_mod."), ["prefix `_orig_mod.`"]),
    "nested.pt": (named("model._orig_mod."), ["prefix `model._orig_mod.`"]),
    "inside.pt": (inside(STATE), ["prefix `_orig_mod.`"]),
    "last.ckpt": ({"state_dict": named("model."), "epoch": 1, "lr": 0.1}, ["`state_dict`", "prefix `model.`"]),
    "net.pt": ({"net": STATE, "acc": 0.9}, ["`net`"]),
    "model.pt": ({"model": STATE, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}}, ["`model`"]),
    "list.pt": ({"state_dict": [STATE]}, [r"`state_dict\[0\]`"]),
    "only_average.pt": ({"ema": STATE}, ["`ema`"]),
    "average_too.pt": ({"model": STATE, "model_ema": OTHER}, ["`model`", "not read: `model_ema`"]),
    "beside.ckpt": ({"state_dict": {**named("model."), "loss.weight": torch.ones(3)}},
                    ["`state_dict`", "prefix `model.`", "1 entries beside .* not read, such as `loss.weight`"]),
    "of_another_shape.pt": ({"student": STATE, "teacher": WIDER}, ["`student`"]),
}  # fmt: skip


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 1.6"])
@pytest.mark.parametrize("name", FILES)
def test_weights_are_found_and_told(tmp_path, name, old):
    content, notes = FILES[name]
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=not old)
    net = load(tmp_path / name, module=make())
    expected = make()
    expected.load_state_dict(STATE)
    assert np.array_equal(net(POINTS), load(expected)(POINTS))
    told = [note.text for note in net.notes]
    assert len(told) == len(notes)
    for text, words in zip(told, notes, strict=True):
        assert re.search(words, text), f"{words} is not in {text}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"student": STATE, "teacher": OTHER}, "several sets of weights that fit.*`student`, `teacher`"),
        ({"state_dict": {**named("a."), **named("b.", OTHER)}}, "several sets.*prefix `a.`.*prefix `b.`"),
        (WIDER, "does not fit `Sequential`: size mismatch"),
        (named("x", STATE), "does not fit `Sequential`: Missing"),
        ({"epoch": 3}, "no state dict"),
        ({}, "no state dict"),
        (torch.ones(3), "no state dict"),
        (make(), r"pickled code \(`torch.nn.modules.container.Sequential`\).*state_dict\(\)"),
        ({k: v.to(torch.cfloat) for k, v in STATE.items()}, "complex numbers as `0.weight`"),
        ({k: torch.full_like(v, 0).long() + 2**53 + 1 for k, v in STATE.items()}, "whole numbers beyond 2"),
    ],
)
@pytest.mark.parametrize("old", [False, True], ids=["zip", "before 1.6"])
def test_what_does_not_fit_is_refused(tmp_path, content, words, old):
    path = tmp_path / "w.pt"
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(ModelFileError, match=words):
        load(path, module=make())


@pytest.mark.parametrize("ending", ["pt", "safetensors"])
@pytest.mark.parametrize(
    ("stored", "own"), [("float64", "float32"), ("float32", "float16"), ("bfloat16", "float16"), ("int16", "float16")]
)
def test_weights_wider_than_the_module_are_not_rounded(tmp_path, stored, own, ending):
    kind = getattr(torch, stored)
    state = {k: (v * 3000).to(kind) / (3 if kind.is_floating_point else 1) for k, v in STATE.items()}
    state = {k: v.to(kind) for k, v in state.items()}
    path = tmp_path / f"w.{ending}"
    if ending == "pt":
        torch.save(state, path)
    else:
        pytest.importorskip("safetensors.torch", reason="safetensors is not installed").save_file(state, path)
    module = make().to(getattr(torch, own))
    net = load(path, module=module)
    assert np.array_equal(net.nodes[1].operators[0].weight, state["0.weight"].double().numpy())
    assert np.array_equal(net.nodes[1].bias, state["0.bias"].double().numpy())
    assert net.notes == () and module[0].weight.dtype == getattr(torch, own)


def test_mixed_types_and_whole_number_buffers(tmp_path):
    class Counted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.norm = nn.Linear(2, 3), nn.BatchNorm1d(3)
            self.register_buffer("order", torch.tensor([2, 0, 1]))

        def forward(self, x):
            return self.norm(self.a(x))[:, self.order]

    state = Counted().state_dict()
    state["a.weight"] = torch.full((3, 2), 1 / 3, dtype=torch.float64)
    state["order"] = torch.tensor([1.0, 2.0, 0.0])
    torch.save(state, tmp_path / "w.pt")
    net = load(tmp_path / "w.pt", module=Counted())
    assert np.all(net.nodes[1].operators[0].weight == 1 / 3)
    state["order"] = torch.tensor([1.5, 2.0, 0.0])
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(ModelFileError, match=r"`order`, which is torch\.int64 in the module"):
        load(tmp_path / "w.pt", module=Counted())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.compile itself
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda: nn.DataParallel(make()),
        lambda: torch.compile(make()),
        lambda: make().to("meta"),
        lambda: nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyLinear(1)),
    ],
    ids=["parallel", "compiled", "meta", "lazy"],
)
def test_modules_in_wrappers_and_without_weights_take_them(tmp_path, wrapped):
    torch.save(STATE, tmp_path / "w.pt")
    expected = make()
    expected.load_state_dict(STATE)
    net = load(tmp_path / "w.pt", module=wrapped(), input_shape=(2,))
    assert np.array_equal(net(POINTS), load(expected)(POINTS))


def test_weights_on_the_meta_device_that_no_file_holds(tmp_path):
    module = make()
    module.register_buffer("scale", torch.ones(1), persistent=False)
    torch.save(STATE, tmp_path / "w.pt")
    with pytest.raises(ArgumentError, match="`scale` of `module` is on the meta device"):
        load(tmp_path / "w.pt", module=module.to("meta"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_files_of_other_kinds_are_named(tmp_path):
    torch.jit.script(make()).save(tmp_path / "script.pt")
    torch.export.save(torch.export.export(make().eval(), (torch.zeros(1, 2),)), tmp_path / "export.pt2")
    (tmp_path / "export.pt2").rename(tmp_path / "export.pt")
    (tmp_path / "pointer.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n")
    (tmp_path / "pointer.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n")
    (tmp_path / "page.ckpt").write_bytes(b"\n<!DOCTYPE html><html></html>")
    for name, words in (
        ("script.pt", "TorchScript.*state_dict"),
        ("export.pt", "torch.export.save"),
        ("pointer.pth", "Git LFS pointer"),
        ("pointer.onnx", "Git LFS pointer"),
        ("page.ckpt", "web page"),
    ):
        with pytest.raises(ModelFileError, match=words):
            load(tmp_path / name, **({} if name.endswith("onnx") else {"module": make()}))


def test_damaged_old_files_are_refused_or_read_as_they_are(tmp_path):
    stream = io.BytesIO()
    torch.save(STATE, stream, _use_new_zipfile_serialization=False)
    whole, rng = stream.getvalue(), np.random.default_rng(0)
    path, opened = tmp_path / "w.pt", 0
    for turn in range(150):
        data = bytearray(whole)
        if turn % 3:
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        else:
            data = data[: int(rng.integers(1, len(data)))]
        path.write_bytes(bytes(data))
        try:
            load(path, module=make(), input_shape=(2,))
            opened += 1
        except (ModelFileError, ArgumentError) as problem:
            assert "\n" not in str(problem)
        except Exception as problem:
            if type(problem).__name__ != "NonFiniteError":
                raise
    assert opened < 75


def test_an_old_file_cannot_claim_storages_that_it_lacks(tmp_path):
    stream = io.BytesIO()
    torch.save({"a": torch.zeros(77)}, stream, _use_new_zipfile_serialization=False)
    data = stream.getvalue()
    count = b"K" + bytes([77])
    assert data.count(count) >= 1
    huge = b"\x8a\x08" + (2**50).to_bytes(8, "little")
    (tmp_path / "w.pt").write_bytes(data.replace(count, huge, 1))
    with pytest.raises(ModelFileError, match=f"claims a storage of {2**50}"):
        load(tmp_path / "w.pt", module=nn.Linear(2, 1))
