"""How are networks read that are too large for certain signs? By torch alone, in float32, on a device.

With every sign certain, the maps of Inception v3 (4.8 million neurons) took 20 s and more of a processor for one image.
So the outputs and affine maps of the full-size networks are torch's: derivatives by automatic differentiation, as in
the paper, but of many images at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.progress import Counted
from reluatlas.storage.atomic import whole_file

AT_ONCE = 50


def torch_outputs(module: Any, X: NDArray, device: str) -> NDArray[np.float64]:
    """Return the outputs (N, m) of a module in evaluation mode at inputs (N, ...), computed in float32."""
    import torch

    parts = []
    with torch.no_grad():
        for at in range(0, len(X), AT_ONCE):
            part = torch.from_numpy(np.asarray(X[at : at + AT_ONCE], dtype=np.float32)).to(device)
            parts.append(module(part).cpu().numpy())
    return np.concatenate(parts).astype(np.float64)


def write_torch_maps(
    module: Any, X: NDArray, n_outputs: int, target: Path, *, device: str, progress: Counted | None = None
) -> None:
    """Write the affine maps of a module in evaluation mode at inputs (N, ...) to an `.npy` file.

    Of output c at x: the derivative of f_c by x, and f_c(x) minus its product with x; float32, (N, m, n_inputs + 1).
    No image may depend on another one of its batch, which holds in evaluation mode.
    """
    import torch

    n = len(X)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as temporary:
        shape = (n, n_outputs, int(np.prod(X.shape[1:])) + 1)
        stored = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
        for at in range(0, n, AT_ONCE):
            x = torch.from_numpy(np.asarray(X[at : at + AT_ONCE], dtype=np.float32)).to(device).requires_grad_()
            y = module(x)
            for c in range(n_outputs):
                (slope,) = torch.autograd.grad(y[:, c].sum(), x, retain_graph=c + 1 < n_outputs)
                rows = slope.flatten(1)
                constant = y[:, c].detach() - (rows * x.detach().flatten(1)).sum(dim=1)
                stored[at : at + len(x), c, :-1] = rows.cpu().numpy()
                stored[at : at + len(x), c, -1] = constant.cpu().numpy()
            if progress is not None:
                progress(min(at + AT_ONCE, n), n)
        stored.flush()
