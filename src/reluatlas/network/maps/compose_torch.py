"""How are affine maps computed by torch, on a GPU for instance? The chain rule along pieces chosen before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, InternalError, MissingDependencyError
from reluatlas.network.interpret import Choice, pull
from reluatlas.network.maps.compose import backward
from reluatlas.network.operators import Convolution, Dense, FloatArray, Gather, LinearOperator, as_sparse
from reluatlas.network.record import Graph

_CHECKED = 4  # points of the first batch that are compared with float64 on the CPU
_TOLERANCES = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-3}


def on_device(network: Graph, device: str, dtype: np.dtype) -> Callable[..., tuple[NDArray, NDArray]]:
    """Return what composes maps along chosen pieces on a device of torch, as `maps.backward` does.

    Raises
    ------
    MissingDependencyError
        When torch is not installed.
    ArgumentError
        When torch has no such device.
    """
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            f"`device={device!r}` needs torch, which is not installed. Install it, or leave `device=` out."
        ) from None
    try:
        torch.zeros(1, device=device)
    except Exception as problem:  # whatever torch raises for this device
        said = str(problem).strip().splitlines()[0]
        raise ArgumentError(
            f"`device={device!r}` cannot be used by torch: {said.rstrip('.')}. Pass a device that torch has, or leave "
            "`device=` out."
        ) from None
    cache: dict[int, tuple[LinearOperator, Any]] = {}
    checked: list[bool] = []

    def compose(
        network: Graph, choice: Choice, n_points: int, outputs: NDArray, flat: Choice | None = None
    ) -> tuple[NDArray, NDArray]:
        with torch.no_grad():
            arithmetic = TorchRows(torch, device, dtype, n_points, outputs.size, cache)
            seed = np.zeros((1, outputs.size, network.n_outputs))
            seed[0, np.arange(outputs.size), outputs] = 1.0
            row = pull(network, network.output, arithmetic.tensor(seed), choice, arithmetic, flat)
            shape = (n_points, outputs.size, network.n_inputs)
            A = np.zeros(shape, dtype) if row is None else row.expand(shape).cpu().numpy()
            b = arithmetic.total.cpu().numpy()
        if not checked:
            _compare(network, choice, flat, outputs, A, b, device)
            checked.append(True)
        return A, b

    return compose


def _compare(
    network: Graph, choice: Choice, flat: Choice | None, outputs: NDArray, A: NDArray, b: NDArray, device: str
) -> None:
    k = min(_CHECKED, A.shape[0])
    first = [None if c is None else {t: part[:k] for t, part in c.items()} for c in (choice, flat)]
    linear, constant = backward(network, first[0] or {}, k, outputs, first[1])
    for ours, theirs, what in ((A[:k], linear, "A"), (b[:k], constant, "b")):
        scale = max(1e-300, float(np.abs(theirs).max(initial=0.0)))
        gap = float(np.abs(ours - theirs).max(initial=0.0)) / scale
        if not gap <= _TOLERANCES[A.dtype]:
            raise InternalError(
                f"`{what}` computed on `device={device!r}` is {gap:.1e} (relative) away from float64 on the CPU; "
                f"expected at most {_TOLERANCES[A.dtype]:g}. Leave `device=` out, and please report this."
            )


class TorchRows:
    """Carries rows (N or 1, m, size) of coefficients backward in torch, and adds up the constants; see `maps.pull`."""

    def __init__(
        self, torch: Any, device: str, dtype: np.dtype, n_points: int, n_rows: int, cache: dict[int, tuple]
    ) -> None:
        self._torch = torch
        self._device = device
        self._dtype = torch.float32 if dtype == np.float32 else torch.float64
        self._cache = cache
        self.total = torch.zeros((n_points, n_rows), dtype=self._dtype, device=device)

    def tensor(self, array: NDArray) -> Any:
        """Return an array on the device: numbers in the chosen type, indices as int64."""
        kind = self._torch.int64 if array.dtype.kind in "iu" else self._dtype
        return self._torch.tensor(np.ascontiguousarray(array), device=self._device, dtype=kind)

    def adjoint(self, operator: LinearOperator, rows: Any) -> Any:
        """Return `rows @ matrix` of the operator."""
        stored = self._stored(operator)
        if isinstance(operator, Dense):
            return rows @ stored
        if isinstance(operator, Gather):
            kept, index, scale = stored
            return self._added(rows[..., kept] * scale, index.expand(rows.shape[0], -1), operator.n_in)
        flat = rows.reshape(-1, rows.shape[-1])
        if isinstance(operator, Convolution):
            weight, place = stored
            turned = operator.transposed
            images = flat.reshape(flat.shape[0], -1, turned.n_positions)
            padded = self._torch.nn.functional.pad(images, (0, 1))
            columns = padded[:, :, place].reshape(flat.shape[0], turned.groups, -1, turned.places.shape[0])
            flat = (weight @ columns).reshape(flat.shape[0], -1)
        else:
            flat = (stored @ flat.T).T
        return flat.reshape(*rows.shape[:-1], operator.n_in)

    def collect(self, rows: Any, index: NDArray, size: int) -> Any:
        """Return rows whose entry j is the sum of the entries i with `index[point, i] == j`."""
        return self._added(rows, self.tensor(index), size)

    def scale(self, rows: Any, factor: FloatArray) -> Any:
        """Return the rows with every entry multiplied by its point's factor."""
        return rows * self.tensor(factor)[:, None, :]

    def add(self, rows: Any, other: Any) -> Any:
        """Return the sum."""
        return rows + other

    def constant(self, rows: Any, vector: FloatArray) -> None:
        """Add `rows . vector` to the constants."""
        column = self.tensor(vector if vector.ndim == 2 else vector[None])[:, :, None]
        self.total += (rows @ column)[..., 0]

    def _added(self, rows: Any, index: Any, size: int) -> Any:
        n = max(rows.shape[0], index.shape[0])
        rows, index = rows.expand(n, -1, -1), index.expand(n, -1)
        out = self._torch.zeros((n, rows.shape[1], size), dtype=self._dtype, device=self._device)
        return out.scatter_add_(2, index[:, None, :].expand(rows.shape), rows)

    def _stored(self, operator: LinearOperator) -> Any:
        if id(operator) not in self._cache:
            self._cache[id(operator)] = (operator, self._moved(operator))
        return self._cache[id(operator)][1]

    def _moved(self, operator: LinearOperator) -> Any:
        if isinstance(operator, Dense):
            return self.tensor(operator.weight)
        if isinstance(operator, Gather):
            kept = np.flatnonzero(operator.index >= 0)
            return self.tensor(kept), self.tensor(operator.index[kept])[None], self.tensor(operator.scale[kept])
        if isinstance(operator, Convolution):
            turned = operator.transposed
            place = np.where(turned.places < 0, turned.n_positions, turned.places).T.reshape(-1)
            return self.tensor(turned.matrices), self.tensor(place)
        turned = as_sparse(operator).transposed
        row = np.repeat(np.arange(turned.n_out), np.diff(turned.indptr))
        values = self.tensor(turned.values / turned.denominator)
        size = (turned.n_out, turned.n_in)
        return self._torch.sparse_coo_tensor(
            self.tensor(np.stack([row, turned.indices])), values, size, check_invariants=False
        ).coalesce()
