"""Strange torch modules: each opens and computes what the module does, or is refused for its true cause."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from reluatlas.errors import ArgumentError, DimensionError, ReluAtlasError, UnsupportedLayerError
from reluatlas.importers.load import load

torch = pytest.importorskip("torch", reason="torch is not installed")
nn, F = torch.nn, torch.nn.functional


def plain(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).eval()


class Own(nn.Module):
    """Two dense layers, a forward of its own, and what `prepare` adds."""

    def __init__(self, forward: Callable | None = None, prepare: Callable[[Any], Any] | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 2)
        self.own = forward or (lambda me, x: me.b(F.relu(me.a(x))))
        if prepare is not None:
            prepare(self)
        self.eval()

    def forward(self, x):
        return self.own(self, x)


def pruned() -> Any:
    from torch.nn.utils import prune

    module = plain()
    prune.l1_unstructured(module[0], "weight", amount=0.5)
    module(torch.zeros(1, 4))
    return module


def normed(how: str) -> Any:
    from torch.nn.utils import parametrizations as new
    from torch.nn.utils import spectral_norm, weight_norm

    first = {
        "weight_norm": weight_norm,
        "spectral_norm": spectral_norm,
        "parametrized weight_norm": new.weight_norm,
        "parametrized spectral_norm": new.spectral_norm,
        "orthogonal": new.orthogonal,
    }[how](nn.Linear(4, 6))
    return nn.Sequential(first, nn.ReLU(), nn.Linear(6, 2)).eval()


def keeps() -> Any:
    def forward(me, x):
        me.hidden = me.a(x)
        me.log.append({"h": me.hidden})
        return me.b(torch.relu(me.hidden))

    module = Own(forward, lambda me: setattr(me, "log", []))
    module(torch.randn(3, 4))
    return module


def hooked() -> Any:
    module, kept = plain(), {}
    module[0].register_forward_hook(lambda m, i, o: kept.__setitem__("a", o))
    module[0].register_forward_hook(lambda m, i, o: o * 2)
    module(torch.zeros(1, 4))
    return module


def counting(*, used: bool) -> Any:
    def forward(me, x):
        me.n += 1
        out = me.b(F.relu(me.a(x)))
        return out * me.n if used else out

    return Own(forward, lambda me: me.register_buffer("n", torch.zeros(())))


def buffer(value: Any, forward: Callable) -> Any:
    return Own(forward, lambda me: me.register_buffer("w", value))


def shared() -> Any:
    one = nn.Linear(4, 4)
    return nn.Sequential(one, nn.ReLU(), one, nn.ReLU(), nn.Linear(4, 2)).eval()


def attribute(name: str, value: Any) -> Any:
    return Own(prepare=lambda me: setattr(me, name, value))


def half_in_double() -> Any:
    module = Own(lambda me, x: me.b(F.relu(me.a(x)).double()))
    module.b.double()
    return module


THIRD = torch.full((2, 4), 1 / 3, dtype=torch.float64)
OPEN = {
    "pruned": pruned,
    **{how: lambda how=how: normed(how) for how in (
        "weight_norm", "spectral_norm", "parametrized weight_norm", "parametrized spectral_norm", "orthogonal")},
    "keeps activations": keeps,
    "hooks": hooked,
    "shared": shared,
    "tied": lambda: Own(lambda me, x: F.linear(F.relu(me.a(x)), me.a.weight.T)),
    "counts calls": lambda: counting(used=False),
    "whole weights": lambda: buffer(torch.arange(8).view(2, 4), lambda me, x: F.linear(x, me.w.float())),
    "wide buffer": lambda: buffer(THIRD, lambda me, x: F.linear(x.double(), me.w)),
    "wide buffer cast": lambda: buffer(THIRD, lambda me, x: F.linear(x, me.w.float())),
    "sparse buffer": lambda: buffer(torch.eye(4).to_sparse(), lambda me, x: torch.sparse.mm(me.w, x.T).T),
    "narrow buffer": lambda: buffer(torch.zeros(3, dtype=torch.float16), lambda me, x: me.b(F.relu(me.a(x)))),
    "two types": half_in_double,
    "in place": lambda: Own(lambda me, x: me.b(me.a(x).add_(1).relu_())),
    "defaults": lambda: Own(lambda me, x, scale=2.0, mask=None: me.b(F.relu(me.a(x))) * scale),
    "graph module": lambda: torch.fx.symbolic_trace(plain()),
    "data parallel": lambda: nn.DataParallel(plain()),
    "data parallel inside": lambda: nn.Sequential(nn.DataParallel(plain()), nn.ReLU()).eval(),
    "compiled": lambda: torch.compile(plain()),
    "compiled inside": lambda: nn.Sequential(torch.compile(plain()), nn.ReLU()).eval(),
    "averaged": lambda: torch.optim.swa_utils.AveragedModel(plain()).eval(),
    "bfloat16 inside": lambda: Own(lambda me, x: me.b(F.relu(_in_bfloat16(me.a, x)).float())),
    "tensor by attribute": lambda: Own(lambda me, x: me.b(F.relu(me.a(x))) + me.c,
                                       lambda me: setattr(me, "c", torch.tensor([0.5, -1]))),
}  # fmt: skip


def _in_bfloat16(layer: Any, x: Any) -> Any:
    with torch.autocast("cpu", torch.bfloat16):
        return layer(x)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("case", OPEN)
def test_module_opens_as_what_it_computes(case):
    module = OPEN[case]()
    net = load(module, input_shape=(4,))
    points = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    inner = getattr(module, "_orig_mod", module)  # without compiling it
    with torch.no_grad():
        expected = np.stack([inner(p[None]).double().numpy().reshape(-1) for p in points])
    tolerance = 0.05 if case == "bfloat16 inside" else 1e-5
    np.testing.assert_allclose(net(points.numpy()).reshape(5, -1), expected, rtol=tolerance, atol=tolerance)
    kinds = {note.kind for note in net.notes}
    assert ("rounded" in kinds) == ("norm" in case or case == "orthogonal"), net.notes
    assert ("dropped" in kinds) == (case == "bfloat16 inside"), net.notes


def quantized() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(plain(), {nn.Linear}, dtype=torch.qint8)


def uninitialized() -> Any:
    class Forgot(nn.Module):
        def __init__(self) -> None:
            pass

        def forward(self, x):
            return x

    return Forgot()


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 2)

    def forward(self, x, y):
        return self.a(x) + y


def changes() -> Any:
    def forward(me, x):
        me.calls = getattr(me, "calls", 0) + 1
        return me.b(F.relu(me.a(x))) * me.calls

    return Own(forward)


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(3), nn.ReLU()), ArgumentError, "lazy layer.*Run it once"),
    "meta": (lambda: plain().to("meta"), ArgumentError, "meta device, which holds no numbers"),
    "complex": (lambda: attribute("c", nn.Parameter(torch.ones(2, dtype=torch.cfloat))), UnsupportedLayerError,
                "`c` of `Own` holds complex numbers"),
    "sparse": (lambda: attribute("s", nn.Parameter(torch.eye(4).to_sparse())), UnsupportedLayerError, "`s`.* sparse"),
    "quantized": (quantized, UnsupportedLayerError, "is quantized.*float model"),
    "script": (lambda: torch.jit.script(plain()), UnsupportedLayerError, "TorchScript"),
    "script inside": (lambda: nn.Sequential(torch.jit.script(plain())), UnsupportedLayerError, "`0`.*TorchScript"),
    "lock": (lambda: attribute("lock", threading.Lock()), ArgumentError, "`lock` of `Own` cannot be copied"),
    "uninitialized": (uninitialized, ArgumentError, r"super\(\).__init__"),
    "list": (lambda: nn.ModuleList([nn.Linear(4, 2)]), UnsupportedLayerError, "has no forward"),
    "two inputs": (TwoInputs, ReluAtlasError, "2 inputs"),
    "state": (lambda: counting(used=True), UnsupportedLayerError, "`n`, which every call changes"),
    "changes": (changes, ReluAtlasError, "the same at every call"),
    "whole numbers": (lambda: nn.Sequential(nn.Embedding(9, 2), nn.Flatten()), UnsupportedLayerError,
                      "whole numbers, which `0` looks up"),
    "batch norm": (lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=False)),
                   UnsupportedLayerError, "`1` of .* statistics of the batch"),
    "instance norm": (lambda: nn.Sequential(nn.Unflatten(1, (2, 2)), nn.InstanceNorm1d(2)), UnsupportedLayerError,
                      "statistics of the batch"),
    "dropout": (lambda: Own(lambda me, x: F.dropout(me.a(x), 0.5)), UnsupportedLayerError, "dropout that is always on"),
    "noise": (lambda: Own(lambda me, x: me.a(x) + torch.randn(1, 6)), UnsupportedLayerError, "random numbers"),
    "noise like": (lambda: Own(lambda me, x: x + torch.rand_like(x)), UnsupportedLayerError, "random numbers"),
    "branch": (lambda: Own(lambda me, x: me.a(x) if x.sum() > 0 else me.a(-x)), UnsupportedLayerError,
               "depends on the data"),
    "item": (lambda: Own(lambda me, x: x * me.a(x).sum().item()), UnsupportedLayerError, "depends on the numbers"),
    "numpy": (lambda: Own(lambda me, x: torch.from_numpy(np.maximum(x.numpy(), 0))), UnsupportedLayerError,
              "by torch itself"),
    "gpu": (lambda: Own(lambda me, x: me.a(x).to("cuda")), ArgumentError, "must run on the CPU"),
    "raises": (lambda: Own(lambda me, x: {}["weights"]), ArgumentError, "KeyError: 'weights'"),
    "lstm": (lambda: Own(lambda me, x: me.r(x[:, None])[0], lambda me: setattr(me, "r", nn.LSTM(4, 3))),
             UnsupportedLayerError, "recurrent"),
    "shape": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3)), DimensionError, "Pass the right `input_shape=`"),
    "whole output": (lambda: Own(lambda me, x: me.a(x).int()), UnsupportedLayerError, "not continuous"),
    "places": (lambda: Own(lambda me, x: me.a(x).argmax(1)), UnsupportedLayerError, "largest output decides"),
    "fake quantize": (lambda: Own(lambda me, x: torch.fake_quantize_per_tensor_affine(me.a(x), 0.1, 0, -128, 127)),
                      UnsupportedLayerError, "it rounds.*float model"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_module_is_refused_for_its_true_cause(case):
    make, error, words = REFUSED[case]
    with pytest.raises(error, match=words) as caught:
        load(make(), input_shape=(4,))
    text = str(caught.value)
    assert "\n" not in text and "Leave it out" not in text and "Supported operators" not in text
    assert ("input_shape=" in text) == (case == "shape")


def test_a_module_keeps_what_it_kept():
    module = keeps()
    before = module.hidden
    load(module)
    assert module.hidden is before and module.hidden.requires_grad and len(module.log) == 1


def test_surroundings_of_the_caller_do_not_matter():
    module = plain()
    expected = load(module)
    with torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
        got = load(module)
    with torch.inference_mode():
        again = load(module)
    for net in (got, again):
        assert net.notes == expected.notes
        assert np.array_equal(net.nodes[1].operators[0].weight, expected.nodes[1].operators[0].weight)


def test_weights_wider_than_what_computes_are_taken_as_stored():
    net = load(buffer(THIRD, lambda me, x: F.linear(x, me.w.float())), input_shape=(4,))
    assert np.all(net.nodes[net.output].operators[0].weight == 1 / 3)


def test_whole_numbers_beyond_float64_are_noted():
    net = load(buffer(torch.full((4,), 2**53 + 1), lambda me, x: x * me.w), input_shape=(4,))
    assert [note.kind for note in net.notes] == ["rounded"]
