"""What is the study's residual network? Basic blocks of two 3x3 convolutions around a shortcut [HeEtAl2016].

Imported only once torch is known to be there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to the block's input, which is projected where shapes differ."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        inner = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


class ResNet(nn.Module):
    """Stages of basic blocks, each stage at half the size and twice the channels of the one before.

    Parameters
    ----------
    blocks : sequence of int
        Number of blocks of each stage.
    width : int
        Channels of the first stage.
    is_small : bool
        Whether to start with a 3x3 convolution and a max-pool of 2, as fits small images, in place of a 7x7
        convolution of stride 2 and a max-pool of 3.
    """

    def __init__(self, blocks: Sequence[int], width: int, *, is_small: bool) -> None:
        super().__init__()
        size, stride = (3, 1) if is_small else (7, 2)
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, size, stride=stride, padding=size // 2, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.MaxPool2d(2) if is_small else nn.MaxPool2d(3, stride=2, padding=1),
        )  # fmt: skip
        layers: list[nn.Module] = []
        n = width
        for stage, count in enumerate(blocks):
            for i in range(count):
                out = width * 2**stage
                layers.append(BasicBlock(n, out, stride=2 if stage and i == 0 else 1))
                n = out
        self.blocks = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n, 10))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the ten outputs of each image."""
        return self.head(self.blocks(self.stem(x)))
