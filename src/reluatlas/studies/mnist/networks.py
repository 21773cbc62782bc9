"""Which networks does the study train, and how? The paper's five, and two small ones of the same kinds of block.

[Sattelberg2023]: Dense and Conv by SGD with learning rate 0.01, momentum 0.5, weight decay 0.01, batches of 64,
30 epochs; Inception v3 and a residual network with learning rate 0.1, momentum 0.9, weight decay 1e-4, batches of 50,
60 epochs. The small ones have a schedule of their own: the same optimizer, a few epochs, and a learning rate that falls
to 0 along a half cosine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from reluatlas.errors import ArgumentError, MissingDependencyError

_CONV_PAPER = (
    "conv 5x5 (10), max-pool 2, ReLU, conv 5x5 (20), dropout2d, max-pool 2, ReLU, 320-50, ReLU, dropout, 50-10"
)
_CONV_DIGITS = (
    "conv 3x3 (10), max-pool 2, ReLU, conv 3x3 (20), dropout2d, max-pool 2, ReLU, 80-50, ReLU, dropout, 50-10"
)


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    Attributes
    ----------
    name : str
        As on the command line.
    title : str
        As in tables; the paper's name where it is the paper's network.
    kind : str
        The architecture; networks of one kind differ by their starts.
    learning_rate, momentum, weight_decay : float
        Of stochastic gradient descent on the cross-entropy.
    batch, epochs : int
    falls : bool
        Whether the learning rate falls to 0 along a half cosine; else it stays.
    is_large : bool
        Whether it takes a GPU to train in reasonable time.
    """

    name: str
    title: str
    kind: str
    learning_rate: float
    momentum: float
    weight_decay: float
    batch: int
    epochs: int
    falls: bool = False
    is_large: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the outcome of a training, apart from the data and the seed."""
        return {k: v for k, v in asdict(self).items() if k not in ("title", "is_large")}


_PLAIN = {"learning_rate": 0.01, "momentum": 0.5, "weight_decay": 0.01, "batch": 64, "epochs": 30}
_DEEP = {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "batch": 50, "epochs": 60}
_SMALL = _DEEP | {"epochs": 6, "falls": True}

RECIPES: dict[str, Recipe] = {
    r.name: r
    for r in (
        Recipe("dense", "Dense", "dense", **_PLAIN),
        Recipe("conv1", "Conv1", "conv", **_PLAIN),
        Recipe("conv2", "Conv2", "conv", **_PLAIN),
        Recipe("small-inception", "small Inception", "small-inception", **_SMALL),
        Recipe("small-resnet", "small ResNet", "small-resnet", **_SMALL),
        Recipe("inception", "Inception", "inception", **_DEEP, is_large=True),
        Recipe("resnet", "ResNet", "resnet", **_DEEP, is_large=True),
    )
}
DEFAULT = ("dense", "conv1", "conv2")
_DIGITS_BATCH = 32
_DIGITS_EPOCHS = {"dense": 20, "conv": 20}
_DIGITS_RATE = {"dense": 0.1, "conv": 0.1}
_DIGITS_DECAY = {"dense": 1e-3, "conv": 1e-3}


def recipe(name: str, data: str) -> Recipe:
    """Return how a network is trained on a data set.

    The digits of scikit-learn are few: with the paper's settings a network would see a fortieth of the batches that it
    sees on MNIST. There Dense and Conv take batches of 32, learning rate 0.1 and weight decay 1e-3, for 20 epochs.

    Raises
    ------
    ArgumentError
        When there is no network of that name.
    """
    if name not in RECIPES:
        raise ArgumentError(f"`networks={name!r}` is no network of the study. Pass some of {', '.join(RECIPES)}.")
    found = RECIPES[name]
    if data != "digits":
        return found
    return replace(
        found,
        batch=_DIGITS_BATCH,
        epochs=_DIGITS_EPOCHS.get(found.kind, found.epochs),
        learning_rate=_DIGITS_RATE.get(found.kind, found.learning_rate),
        weight_decay=_DIGITS_DECAY.get(found.kind, found.weight_decay),
    )


def describe(kind: str, side: int) -> str:
    """Return an architecture in words."""
    n = side * side
    return {
        "dense": f"{n}-128-10, dropout before the last layer",
        "conv": _CONV_PAPER if side == 28 else _CONV_DIGITS,
        "inception": "Inception v3 (no auxiliary head), 1 input channel, images resized bilinearly to 229 x 229",
        "resnet": "residual, basic blocks [18, 18, 18, 18] of 64 to 512 channels, 1 input channel",
        "small-inception": "Inception blocks A, B, C, E of v3 at 1/16 of their channels, 1 input channel",
        "small-resnet": "residual, basic blocks [2, 2, 2] of 8 to 32 channels, 1 input channel",
    }[kind]


def build(kind: str, side: int) -> Any:
    """Return a torch module of a kind for images of `side` x `side` pixels, with torch's random start.

    Raises
    ------
    MissingDependencyError
        When torch is not installed.
    """
    return _BUILDERS[kind](side)


def import_torch() -> Any:
    """Return torch, or refuse to go on without it and safetensors."""
    try:
        import safetensors.torch  # noqa: F401
        import torch
    except ImportError:
        raise MissingDependencyError(
            "training networks needs torch and safetensors, which are not installed. Install them with "
            "`pip install 'reluatlas[torch]'`."
        ) from None
    return torch


def _dense(side: int) -> Any:
    nn = import_torch().nn
    return nn.Sequential(nn.Flatten(), nn.Linear(side * side, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))


def _conv(side: int) -> Any:
    nn = import_torch().nn
    size, padding = (5, 0) if side >= 16 else (3, 1)
    after = side
    for _ in range(2):
        after = (after + 2 * padding - size + 1) // 2
    return nn.Sequential(
        nn.Conv2d(1, 10, size, padding=padding), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(10, 20, size, padding=padding), nn.Dropout2d(0.5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Flatten(), nn.Linear(20 * after * after, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 10),
    )  # fmt: skip


def _resnet(side: int, *, blocks: Sequence[int] = (18, 18, 18, 18), is_small: bool = False) -> Any:
    import_torch()
    from reluatlas.studies.mnist.resnet import ResNet

    return ResNet(blocks=blocks, width=8 if is_small else 64, is_small=is_small)


def _inception(side: int, *, is_small: bool = False) -> Any:
    import_torch()
    from reluatlas.studies.mnist.inception import Inception, SmallInception

    return SmallInception() if is_small else Inception()


_BUILDERS: dict[str, Callable[[int], Any]] = {
    "dense": _dense,
    "conv": _conv,
    "resnet": _resnet,
    "small-resnet": lambda side: _resnet(side, blocks=(2, 2, 2), is_small=True),
    "inception": _inception,
    "small-inception": lambda side: _inception(side, is_small=True),
}
