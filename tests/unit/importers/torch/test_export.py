"""torch modules and their weight files: every ATen operator of the table, and every kind of bad file."""

from __future__ import annotations

import io
import pickle
import zipfile
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from reluatlas.errors import (
    ArgumentError,
    DimensionError,
    ModelFileError,
    NonFiniteError,
    UnsupportedLayerError,
)
from reluatlas.importers.load import load

torch = pytest.importorskip("torch", reason="torch is not installed")
nn, F = torch.nn, torch.nn.functional


class Body(nn.Module):
    """A dense layer and a function of its 6 outputs `h`, and of the 6 inputs `x`."""

    def __init__(self, function: Any, shape: tuple[int, ...] = (6,)) -> None:
        super().__init__()
        self.first = nn.Linear(shape[-1], shape[-1])
        self.function, self.shape = function, shape

    def forward(self, x):
        return self.function(self.first(x), x)


def layers(seed: int, *sizes: int) -> Any:
    torch.manual_seed(seed)
    parts: list[Any] = []
    for a, b in pairwise(sizes):
        parts += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


C = torch.tensor([0.5, -1.0, 2.0, 0.1, -0.3, 1.5])
BATCH_NORM = nn.BatchNorm1d(6)
BATCH_NORM.running_mean.copy_(C)
BATCH_NORM.running_var.copy_(C.abs())
M = torch.arange(18.0).reshape(6, 3) / 7

CASES = {
    "relu and skip": Body(lambda h, x: F.relu(h) + x),
    "relu in place": Body(lambda h, x: F.relu_(h * 1.0)),
    "view": Body(lambda h, x: h.view(x.size(0), 2, 3).flatten(1)),
    "reshape permute": Body(lambda h, x: h.reshape(-1, 2, 3).permute(0, 2, 1).reshape(1, 6)),
    "transpose": Body(lambda h, x: h.transpose(1, 2), (2, 3)),
    "slice": Body(lambda h, x: h[:, 1:5:2]),
    "select": Body(lambda h, x: h[:, -1]),
    "index": Body(lambda h, x: h[:, torch.tensor([3, 0, 0])]),
    "cat": Body(lambda h, x: torch.cat([h, x, C[None]], 1)),
    "stack": Body(lambda h, x: torch.stack([h, x], 2)),
    "split": Body(lambda h, x: torch.split(h, [2, 4], 1)[1] + 1),
    "chunk": Body(lambda h, x: h.chunk(2, 1)[0] - h.chunk(2, 1)[1]),
    "unbind": Body(lambda h, x: h.unbind(1)[2]),
    "expand": Body(lambda h, x: h[:, None].expand(1, 3, 6)),
    "repeat": Body(lambda h, x: h.repeat(1, 2)),
    "flip": Body(lambda h, x: h.flip(1)),
    "roll": Body(lambda h, x: h.roll(2, 1)),
    "squeeze": Body(lambda h, x: h.unsqueeze(-1).squeeze(-1)),
    "add constant": Body(lambda h, x: h + C),
    "add alpha": Body(lambda h, x: torch.add(h, x, alpha=0.7)),
    "sub": Body(lambda h, x: h - x),
    "sub constant": Body(lambda h, x: torch.sub(h, C, alpha=2)),
    "rsub": Body(lambda h, x: 3 - h),
    "constant minus": Body(lambda h, x: C - h),
    "mul": Body(lambda h, x: 2 * h * C),
    "div": Body(lambda h, x: h / 3),
    "neg": Body(lambda h, x: -h),
    "matmul": Body(lambda h, x: h @ M),
    "matmul left": Body(lambda h, x: M.T @ h, (6, 2)),
    "matmul stack": Body(lambda h, x: h @ M[None].repeat(1, 1, 1), (2, 6)),
    "bmm": Body(lambda h, x: torch.bmm(h, M[None]), (2, 6)),
    "mv": Body(lambda h, x: torch.mv(h.reshape(2, 3), M[0])),
    "addmm": Body(lambda h, x: torch.addmm(C[:3], h, M, beta=0.5, alpha=2)),
    "addmm tensor": Body(lambda h, x: torch.addmm(x[:, :3], h, M, beta=0.5)),
    "baddbmm": Body(lambda h, x: torch.baddbmm(x[:, :, :3], h, M[None]), (2, 6)),
    "linear": nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3, bias=False)),
    "linear rows": nn.Linear(6, 4),
    "leaky": Body(lambda h, x: F.leaky_relu(h, 0.2)),
    "prelu": nn.Sequential(nn.Linear(6, 6), nn.PReLU(6, 0.3)),
    "prelu one": nn.Sequential(nn.Linear(6, 6), nn.PReLU()),
    "abs": Body(lambda h, x: h.abs()),
    "clamp": Body(lambda h, x: h.clamp(-0.2, 0.4)),
    "clamp min": Body(lambda h, x: h.clamp(min=0.1)),
    "clamp max": Body(lambda h, x: h.clamp_max(0.1)),
    "clamp tensors": Body(lambda h, x: torch.clamp(h, -C.abs(), x)),
    "hardtanh": nn.Sequential(nn.Linear(6, 6), nn.Hardtanh(-0.5, 0.3)),
    "relu6": nn.Sequential(nn.Linear(6, 6), nn.ReLU6()),
    "hardsigmoid": nn.Sequential(nn.Linear(6, 6), nn.Hardsigmoid()),
    "maximum": Body(lambda h, x: torch.maximum(h, x)),
    "maximum constant": Body(lambda h, x: torch.maximum(h, C)),
    "max other": Body(lambda h, x: torch.max(h, x)),
    "minimum": Body(lambda h, x: torch.minimum(h, -x)),
    "batch norm": nn.Sequential(nn.Linear(6, 6), BATCH_NORM, nn.ReLU()),
    "dropout": nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5), nn.ReLU()),
    "cast": Body(lambda h, x: h.double().to(torch.float32) + h.float()),
    "identity": nn.Sequential(nn.Linear(6, 6), nn.Identity()),
    "fresh constant": Body(lambda h, x: h + torch.full((6,), 0.25) + torch.arange(6)),
}


@pytest.mark.parametrize("case", CASES)
def test_operator_computes_what_the_module_does(case):
    module = CASES[case].eval()
    shape = getattr(module, "shape", (6,))
    net = load(module, input_shape=shape)
    points = np.random.default_rng(1).normal(size=(20, *shape)).astype(np.float32)
    with torch.no_grad():
        expected = np.stack([module(torch.from_numpy(p[None])).numpy().reshape(-1) for p in points])
    np.testing.assert_allclose(net(points).reshape(20, -1), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("final", [nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid()])
def test_final_activation_is_dropped_with_a_note(final):
    dense = layers(0, 3, 5, 2)
    net = load(nn.Sequential(dense, final))
    assert [n.kind for n in net.notes] == ["dropped"]
    assert np.array_equal(net(np.ones((4, 3))), load(dense)(np.ones((4, 3))))


def test_activation_in_the_middle_is_refused():
    with pytest.raises(UnsupportedLayerError, match=r"softmax.*followed by linear"):
        load(nn.Sequential(nn.Linear(2, 3), nn.Softmax(1), nn.Linear(3, 1)))


@pytest.mark.parametrize(
    ("layer", "name"), [(nn.Tanh(), "tanh"), (nn.GELU(), "gelu"), (nn.SiLU(), "silu|sigmoid"), (nn.ELU(), "elu")]
)
def test_other_activations_are_named(layer, name):
    with pytest.raises(UnsupportedLayerError, match=f"{name}.* node"):
        load(nn.Sequential(nn.Linear(2, 3), layer, nn.Linear(3, 1)))


def test_module_is_not_changed():
    module = nn.Sequential(layers(0, 3, 4, 2), nn.Dropout())
    module.train()
    module[0][0].eval()
    flags = [m.training for m in module.modules()]
    before = {k: v.clone() for k, v in module.state_dict().items()}
    load(module)
    assert [m.training for m in module.modules()] == flags
    assert all(p.requires_grad and p.grad is None and p.dtype == torch.float32 for p in module.parameters())
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions_are_taken_over_exactly(dtype):
    module = layers(0, 3, 4, 2).to(dtype)
    net = load(module)
    assert np.array_equal(net.nodes[1].operators[0].weight, module[0].weight.detach().double().numpy())


def test_input_shape_is_guessed_asked_for_and_checked():
    assert load(layers(0, 3, 4, 2)).input_shape == (3,)
    shapeless = nn.Sequential(nn.Flatten(), nn.ReLU())
    with pytest.raises(ArgumentError, match="input_shape"):
        load(shapeless)
    assert load(shapeless, input_shape=(2, 3)).output_shape == (6,)
    with pytest.raises(DimensionError, match=r"does not run.*\(5,\)"):
        load(layers(0, 3, 4, 2), input_shape=(5,))


def test_mean_and_std_of_channels():
    module = nn.Sequential(nn.Flatten(), layers(0, 12, 4, 2))
    net = load(module, input_shape=(3, 2, 2), mean=[0.1, 0.2, 0.3], std=[0.5, 1.0, 2.0])
    x = np.random.default_rng(0).random((5, 3, 2, 2))
    z = (x - np.array([0.1, 0.2, 0.3])[:, None, None]) / np.array([0.5, 1.0, 2.0])[:, None, None]
    np.testing.assert_allclose(net(x), load(module, input_shape=(3, 2, 2))(z), rtol=1e-12, atol=1e-12)


def test_control_flow_on_the_data_is_refused():
    with pytest.raises(UnsupportedLayerError, match="cannot capture"):
        load(Body(lambda h, x: h if h.sum() > 0 else x), input_shape=(6,))


def test_weights_that_are_not_finite_are_refused():
    module = layers(0, 3, 4, 2)
    with torch.no_grad():
        module[0].weight[1, 1] = float("nan")
    with pytest.raises(NonFiniteError, match="linear"):
        load(module)


@pytest.mark.parametrize("ending", ["pt", "pth", "safetensors"])
def test_weights_in_a_file_and_a_module_give_the_module(tmp_path, ending):
    module, other = layers(1, 3, 4, 2), layers(2, 3, 4, 2)
    path = tmp_path / f"weights.{ending}"
    if ending == "safetensors":
        safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
        safetensors.save_file(module.state_dict(), path)
    else:
        torch.save({"state_dict": module.state_dict()} if ending == "pth" else module.state_dict(), path)
    before = other[0].weight.clone()
    x = np.ones((2, 3))
    assert np.array_equal(load(path, module=other)(x), load(module)(x))
    assert torch.equal(other[0].weight, before)
    with pytest.raises(ArgumentError, match="module="):
        load(path)
    with pytest.raises(ModelFileError, match="does not fit"):
        load(path, module=layers(0, 3, 5, 2))


class Evil:
    ran = False

    def __reduce__(self):
        return _explode, ()


def _explode():
    Evil.ran = True
    return {}


def test_pickled_code_is_never_run(tmp_path):
    torch.save(Evil(), tmp_path / "evil.pt")
    torch.save(layers(0, 3, 4, 2), tmp_path / "module.pt")
    for name, what in (("evil.pt", "_explode"), ("module.pt", "Sequential")):
        with pytest.raises(ModelFileError, match=f"pickled code.*{what}.*never run"):
            load(tmp_path / name, module=layers(0, 3, 4, 2))
    assert not Evil.ran


def _archive(state: Any, **changes: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(stream.getvalue())) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("data.pkl"):
                data = data.replace(*changes.get("replace", (b"", b"")), 1)
            new.writestr(info.filename, data, changes.get("compression", zipfile.ZIP_STORED))
    return out.getvalue()


def test_claims_that_the_file_does_not_keep_are_refused(tmp_path):
    path = tmp_path / "w.pt"
    state = {"a": torch.zeros(77)}
    count, size = pickle.dumps(77, 2)[2:-1], pickle.dumps(2**40, 2)[2:-1]
    path.write_bytes(_archive(state, replace=(b"cpu" + b"q\x06" + count, b"cpu" + b"q\x06" + size)))
    with pytest.raises(ModelFileError, match="claims a storage of 1099511627776"):
        load(path, module=nn.Linear(2, 1))
    torch.save({"a": torch.zeros(1).expand(2**20, 2**20)}, path)
    with pytest.raises(ModelFileError, match="claims a tensor of shape"):
        load(path, module=nn.Linear(2, 1))
    path.write_bytes(_archive({"a": torch.zeros(100_000)}, compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(ModelFileError, match="is a compressed archive"):
        load(path, module=nn.Linear(2, 1))


def test_broken_weight_files(tmp_path):
    stream = io.BytesIO()
    torch.save(layers(0, 3, 4, 2).state_dict(), stream)
    whole = stream.getvalue()
    noise = np.random.default_rng(0).bytes(3000)
    for name in ("w.pt", "w.safetensors"):
        for data in (whole[:50], whole[: len(whole) // 2], whole[:-5], b"hello", noise, b"\xff" * 8 + b"{}"):
            path = tmp_path / name
            path.write_bytes(data)
            with pytest.raises(ModelFileError) as caught:
                load(path, module=layers(0, 3, 4, 2))
            assert "\n" not in str(caught.value)
        path.write_bytes(b"")
        with pytest.raises(ModelFileError, match="empty"):
            load(path, module=layers(0, 3, 4, 2))
        with pytest.raises(ModelFileError, match="does not exist"):
            load(tmp_path / f"none.{name}", module=layers(0, 3, 4, 2))
    (tmp_path / "w.pt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ModelFileError, match=r"not a file of torch\.save"):
        load(tmp_path / "w.pt", module=layers(0, 3, 4, 2))
