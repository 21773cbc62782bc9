"""What is the study's Inception network? Version 3 without its auxiliary head [SzegedyEtAl2016], and a small one.

Imported only once torch is known to be there. Blocks A to E are those of the published network; `share` scales all
their channels.
"""

from __future__ import annotations

import torch
from torch import nn

Size = int | tuple[int, int]
SIZE = 229
"""Side to which images are resized, as in the paper."""
_SMALL = 1 / 16


class Unit(nn.Sequential):
    """A convolution without bias, batch norm, ReLU."""

    def __init__(self, n_in: int, n_out: int, size: Size, *, stride: int = 1, padding: Size = 0) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_out, size, stride=stride, padding=padding, bias=False),
            nn.BatchNorm2d(n_out, eps=0.001),
            nn.ReLU(),
        )


class Branches(nn.Module):
    """Several paths from one input, their channels side by side."""

    def __init__(self, *paths: nn.Module) -> None:
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the outputs of all paths, concatenated."""
        return torch.cat([path(x) for path in self.paths], dim=1)


def _average() -> nn.Module:
    return nn.AvgPool2d(3, stride=1, padding=1)


def _n(channels: int, share: float) -> int:
    return max(2, round(channels * share))


def block_a(n_in: int, pooled: int, share: float = 1.0) -> tuple[nn.Module, int]:
    """Return block A (1x1, 5x5, twice 3x3, pool) and its channels."""
    c48, c64, c96, cp = (_n(c, share) for c in (48, 64, 96, pooled))
    block = Branches(
        Unit(n_in, c64, 1),
        nn.Sequential(Unit(n_in, c48, 1), Unit(c48, c64, 5, padding=2)),
        nn.Sequential(Unit(n_in, c64, 1), Unit(c64, c96, 3, padding=1), Unit(c96, c96, 3, padding=1)),
        nn.Sequential(_average(), Unit(n_in, cp, 1)),
    )
    return block, 2 * c64 + c96 + cp


def block_b(n_in: int, share: float = 1.0) -> tuple[nn.Module, int]:
    """Return block B, which halves the size, and its channels."""
    c64, c96, c384 = (_n(c, share) for c in (64, 96, 384))
    block = Branches(
        Unit(n_in, c384, 3, stride=2),
        nn.Sequential(Unit(n_in, c64, 1), Unit(c64, c96, 3, padding=1), Unit(c96, c96, 3, stride=2)),
        nn.MaxPool2d(3, stride=2),
    )
    return block, c384 + c96 + n_in


def block_c(n_in: int, inner: int, share: float = 1.0) -> tuple[nn.Module, int]:
    """Return block C (1x1, and convolutions of 7x7 taken apart into 1x7 and 7x1) and its channels."""
    c, out = _n(inner, share), _n(192, share)

    def row(n: int, m: int) -> nn.Module:
        return Unit(n, m, (1, 7), padding=(0, 3))

    def column(n: int, m: int) -> nn.Module:
        return Unit(n, m, (7, 1), padding=(3, 0))

    block = Branches(
        Unit(n_in, out, 1),
        nn.Sequential(Unit(n_in, c, 1), row(c, c), column(c, out)),
        nn.Sequential(Unit(n_in, c, 1), column(c, c), row(c, c), column(c, c), row(c, out)),
        nn.Sequential(_average(), Unit(n_in, out, 1)),
    )
    return block, 4 * out


def block_d(n_in: int, share: float = 1.0) -> tuple[nn.Module, int]:
    """Return block D, which halves the size, and its channels."""
    c192, c320 = _n(192, share), _n(320, share)
    block = Branches(
        nn.Sequential(Unit(n_in, c192, 1), Unit(c192, c320, 3, stride=2)),
        nn.Sequential(
            Unit(n_in, c192, 1), Unit(c192, c192, (1, 7), padding=(0, 3)), Unit(c192, c192, (7, 1), padding=(3, 0)),
            Unit(c192, c192, 3, stride=2),
        ),
        nn.MaxPool2d(3, stride=2),
    )  # fmt: skip
    return block, c320 + c192 + n_in


def block_e(n_in: int, share: float = 1.0) -> tuple[nn.Module, int]:
    """Return block E (convolutions of 3x3 split into 1x3 beside 3x1) and its channels."""
    c192, c320, c384, c448 = (_n(c, share) for c in (192, 320, 384, 448))

    def split() -> nn.Module:
        return Branches(Unit(c384, c384, (1, 3), padding=(0, 1)), Unit(c384, c384, (3, 1), padding=(1, 0)))

    block = Branches(
        Unit(n_in, c320, 1),
        nn.Sequential(Unit(n_in, c384, 1), split()),
        nn.Sequential(Unit(n_in, c448, 1), Unit(c448, c384, 3, padding=1), split()),
        nn.Sequential(_average(), Unit(n_in, c192, 1)),
    )
    return block, c320 + 4 * c384 + c192


class Inception(nn.Module):
    """Inception v3 for one channel and ten classes, without the auxiliary head; it resizes its images itself."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [
            Unit(1, 32, 3, stride=2), Unit(32, 32, 3), Unit(32, 64, 3, padding=1), nn.MaxPool2d(3, stride=2),
            Unit(64, 80, 1), Unit(80, 192, 3), nn.MaxPool2d(3, stride=2),
        ]  # fmt: skip
        n = 192
        for make, *more in (
            (block_a, 32), (block_a, 64), (block_a, 64), (block_b,), (block_c, 128), (block_c, 160), (block_c, 160),
            (block_c, 192), (block_d,), (block_e,), (block_e,),
        ):  # fmt: skip
            block, n = make(n, *more)
            blocks.append(block)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Dropout(0.5), nn.Flatten(), nn.Linear(n, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the ten outputs of each image."""
        x = nn.functional.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        return self.head(self.blocks(x))


class SmallInception(nn.Module):
    """Blocks A, B, C and E at a sixteenth of their channels, behind one convolution and a max-pool."""

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [Unit(1, 8, 3, padding=1), nn.MaxPool2d(3, stride=2)]
        n = 8
        for make, *more in ((block_a, 32), (block_b,), (block_c, 128), (block_e,)):
            block, n = make(n, *more, share=_SMALL)
            blocks.append(block)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Dropout(0.5), nn.Flatten(), nn.Linear(n, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the ten outputs of each image."""
        return self.head(self.blocks(x))
