"""What did the paper find? Its tables: correct out of 10,000 test images of MNIST.

The paper is [Sattelberg2023].
"""

from __future__ import annotations

SOURCE = "Sattelberg et al., Frontiers in Artificial Intelligence 6:1255192 (2023)"
NAMES = ("dense", "conv1", "conv2", "inception", "resnet")
N_TEST = 10_000

ACCURACY = {"dense": 9603, "conv1": 9807, "conv2": 9804, "inception": 9908, "resnet": 9892}
MAPS_IN_USE = {"dense": 9996, "conv1": 10_000, "conv2": 10_000, "inception": 10_000, "resnet": 10_000}

MAP_SECONDS = {"inception": 19_740, "resnet": 30_755}
"""The affine maps of all ten classes at the 60,000 training images, one image at a time on their GPU."""
R2 = {("dense", "conv1"): (0.48, 0.54)}
"""Smallest and largest R^2 of the classes, about the same whether the bias is mapped or not."""

_NOT_MAPPED = (
    (9603, 9527, 9517, 7437, 6927),
    (9572, 9807, 9774, 7979, 7240),
    (9580, 9783, 9804, 8105, 7179),
    (9032, 9414, 9452, 9908, 7028),
    (9375, 9724, 9720, 7635, 9892),
)
_MAPPED = (
    (9603, 9536, 9519, 9290, 9068),
    (9567, 9807, 9776, 9662, 9588),
    (9562, 9786, 9804, 9644, 9579),
    (8868, 9488, 9511, 9908, 9536),
    (9320, 9738, 9739, 9838, 9892),
)
_FEWER = {
    1: (8679, 6766, 6366, 974, 1432),
    10: (9231, 8639, 8672, 9660, 8166),
    100: (9434, 9382, 9421, 9689, 8458),
    1000: (9508, 9586, 9603, 9695, 8982),
    10000: (9554, 9696, 9673, 9752, 9381),
}


def similarity(source: str, target: str, bias: str) -> int | None:
    """Return how many images are right with maps of one network mapped to another; None where the paper has none."""
    if source not in NAMES or target not in NAMES:
        return None
    table = _MAPPED if bias == "mapped" else _NOT_MAPPED
    return table[NAMES.index(source)][NAMES.index(target)]


def fewer(name: str, k: int) -> int | None:
    """Return how many images are right with k centers per class; None where the paper has no such number."""
    return _FEWER[k][NAMES.index(name)] if name in NAMES and k in _FEWER else None
