"""Which operators does ONNX's reference evaluator lack, get wrong, or run too slowly? Here they are again.

Used only to run the model itself, for the check of an import. Written in the direction opposite to the importer's:
taps are looped over and whole images moved, where the importer says which entry reads which.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray


def evaluator(model: Any) -> Any:
    """Return ONNX's reference evaluator for a model, with the operators of this file."""
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(model, new_ops=list(_operators()))


@cache
def _operators() -> tuple[Any, ...]:
    import onnx
    from onnx.reference.op_run import OpRun

    def made(name: str, function: Any) -> Any:
        def run(self: Any, *inputs: Any, **_: Any) -> tuple[NDArray, ...]:
            given = {a.name: onnx.helper.get_attribute_value(a) for a in self.onnx_node.attribute}
            text = {k: v.decode() if isinstance(v, bytes) else v for k, v in given.items()}
            if len(self.onnx_node.output) > 1 and self.onnx_node.output[1]:
                raise NotImplementedError(f"{name} with several outputs")
            return (np.asarray(function(text, *inputs)),)

        return type(name, (OpRun,), {"op_domain": "", "_run": run})

    table = {
        "BatchNormalization": batch_norm,
        "ConvTranspose": conv_transpose,
        "GlobalLpPool": global_lp_pool,
        "MaxPool": max_pool,
        "Pad": pad,
        "Resize": resize,
        "Scatter": scatter,
        "Upsample": upsample,
    }
    return tuple(made(name, function) for name, function in table.items())


def batch_norm(
    at: dict[str, Any], x: NDArray, scale: NDArray, shift: NDArray, mean: NDArray, variance: NDArray
) -> NDArray:
    """Return the batch norm in evaluation mode; ONNX's own is that of training at operator sets 7 to 13."""
    column = (-1, *(1,) * (x.ndim - 2))
    spread = np.sqrt(variance + np.asarray(at.get("epsilon", 1e-5), variance.dtype)).reshape(column)
    return scale.reshape(column) * ((x - mean.reshape(column)) / spread) + shift.reshape(column)


def global_lp_pool(at: dict[str, Any], x: NDArray) -> NDArray:
    """Return the norm of each channel."""
    p, axes = at.get("p", 2), tuple(range(2, x.ndim))
    return (np.abs(x) ** p).sum(axis=axes, keepdims=True) ** (1 / p)


def scatter(at: dict[str, Any], data: NDArray, index: NDArray, updates: NDArray) -> NDArray:
    """Return the data with entries replaced along an axis: the oldest operator of its kind."""
    out, axis = data.copy(), at.get("axis", 0)
    np.put_along_axis(
        out[tuple(slice(n) if i != axis % data.ndim else slice(None) for i, n in enumerate(index.shape))],
        np.where(index < 0, index + data.shape[axis], index),
        updates,
        axis,
    )
    return out


def conv_transpose(at: dict[str, Any], x: NDArray, w: NDArray, b: NDArray | None = None) -> NDArray:
    """Return the transposed convolution: every entry of the input adds a multiple of the kernel to the output."""
    n, groups = x.ndim - 2, at.get("group", 1)
    stride, dilation = at.get("strides", [1] * n), at.get("dilations", [1] * n)
    extra, pads = at.get("output_padding", [0] * n), list(at.get("pads", [0] * 2 * n))
    mode, kernel = at.get("auto_pad", "NOTSET"), w.shape[2:]
    wanted = at.get("output_shape")
    if wanted is None and mode.startswith("SAME"):
        wanted = [x.shape[2 + i] * stride[i] for i in range(n)]
    full = [(x.shape[2 + i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 for i in range(n)]
    if wanted is not None:
        for i, length in enumerate(list(wanted)[-n:]):
            total = max(0, full[i] + extra[i] - length)
            half = total // 2
            pads[i], pads[n + i] = (half, total - half) if mode == "SAME_UPPER" else (total - half, half)
    images = x.reshape(x.shape[0], groups, -1, *x.shape[2:])
    weights = w.reshape(groups, -1, *w.shape[1:])
    out = np.zeros((x.shape[0], groups, w.shape[1], *(f + e for f, e in zip(full, extra, strict=True))), x.dtype)
    for tap in product(*(range(k) for k in kernel)):
        part = np.einsum("bgi...,gio->bgo...", images, weights[(..., *tap)])
        place = (
            slice(t * d, t * d + (m - 1) * s + 1, s)
            for t, d, s, m in zip(tap, dilation, stride, x.shape[2:], strict=True)
        )
        out[(..., *place)] += part
    cut = tuple(slice(pads[i], out.shape[3 + i] - pads[n + i]) for i in range(n))
    made = out[(..., *cut)].reshape(x.shape[0], groups * w.shape[1], *(out[(..., *cut)].shape[3:]))
    return made if b is None else made + b.reshape(-1, *(1,) * n)


def max_pool(at: dict[str, Any], x: NDArray) -> NDArray:
    """Return the running maximum over the taps of the kernel of the image padded with minus infinity."""
    kernel = at["kernel_shape"]
    n = len(kernel)
    stride, dilation = at.get("strides", [1] * n), at.get("dilations", [1] * n)
    pads, mode = list(at.get("pads", [0] * 2 * n)), at.get("auto_pad", "NOTSET")
    outs = []
    for i in range(n):
        reach, size = (kernel[i] - 1) * dilation[i] + 1, x.shape[2 + i]
        if mode.startswith("SAME"):
            total = max(0, (-(-size // stride[i]) - 1) * stride[i] + reach - size)
            small = total // 2
            pads[i], pads[n + i] = (small, total - small) if mode == "SAME_UPPER" else (total - small, small)
        elif mode == "VALID":
            pads[i] = pads[n + i] = 0
        room = size + pads[i] + pads[n + i] - reach
        out = room // stride[i] + 1
        if at.get("ceil_mode") and room % stride[i] and out * stride[i] < size + pads[i]:
            out += 1
        outs.append(out)
        pads[n + i] = max(pads[n + i], (out - 1) * stride[i] + reach - size - pads[i])
    padded = np.pad(x, [(0, 0), (0, 0), *zip(pads[:n], pads[n:], strict=True)], constant_values=-np.inf)
    best = np.full((*x.shape[:2], *outs), -np.inf, x.dtype)
    for tap in product(*(range(k) for k in kernel)):
        place = (
            slice(t * d, t * d + (o - 1) * s + 1, s) for t, d, s, o in zip(tap, dilation, stride, outs, strict=True)
        )
        np.maximum(best, padded[(..., *place)], out=best)
    return best


def pad(at: dict[str, Any], x: NDArray, pads: Any = None, value: Any = None, axes: Any = None) -> NDArray:
    """Return the array padded by NumPy, or cut off where the padding is negative."""
    widths = [int(p) for p in (at["pads"] if pads is None else pads)]
    fill = at.get("value", 0.0) if value is None else float(np.reshape(value, ()))
    over = range(x.ndim) if axes is None else [int(a) % x.ndim for a in axes]
    n, mode = len(over), at.get("mode", "constant")
    for i, axis in enumerate(over):
        before, after = widths[i], widths[n + i]
        cut = [slice(None)] * x.ndim
        cut[axis] = slice(max(0, -before), x.shape[axis] - max(0, -after))
        x = x[tuple(cut)]
        room = [(0, 0)] * x.ndim
        room[axis] = max(0, before), max(0, after)
        options: dict[str, Any] = {"mode": mode, **({"constant_values": fill} if mode == "constant" else {})}
        x = np.pad(x, room, **options)
    return x


def upsample(at: dict[str, Any], x: NDArray, scales: Any = None) -> NDArray:
    """Return the array resized in the way of the oldest operator."""
    return resize(at, x, at["scales"] if scales is None else scales)


def resize(at: dict[str, Any], x: NDArray, *rest: Any) -> NDArray:
    """Return the array resized axis by axis, by the matrices that interpolate along each."""
    older = len(rest) == 1  # before opset 11: scales alone, and no choice of coordinates
    scales, sizes = (rest[0], None) if older else (*rest[1:3], None, None)[:2]
    scales = None if scales is None or not len(scales) else [float(s) for s in scales]
    over = [a % x.ndim for a in at.get("axes", range(x.ndim))]
    mode = "asymmetric" if older else at.get("coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if older else at.get("nearest_mode", "round_prefer_floor")
    for i, axis in enumerate(over):
        n = x.shape[axis]
        out = int(np.floor(n * scales[i])) if scales is not None else int(np.asarray(sizes)[i])
        scale = out / n if scales is None else scales[i]
        if scale == 1.0 and out == n:
            continue
        place = _places(mode, np.arange(out, dtype=np.float64), n, out, scale)
        if at.get("mode", "nearest") == "nearest":
            x = np.take(x, _rounded(rounding, place).clip(0, n - 1).astype(int), axis=axis)
        else:
            place = place.clip(0, n - 1)
            first = np.minimum(np.floor(place).astype(int), max(n - 2, 0))
            share = (place - first).reshape(-1, *(1,) * (x.ndim - 1 - axis)).astype(x.dtype)
            low, high = np.take(x, first, axis=axis), np.take(x, np.minimum(first + 1, n - 1), axis=axis)
            x = low * (1 - share) + high * share
    return x


def _places(mode: str, i: NDArray, n: int, out: int, scale: float) -> NDArray:
    if mode == "asymmetric":
        return i / scale
    if mode == "align_corners":
        return i * (n - 1) / max(out - 1, 1)
    if mode == "pytorch_half_pixel" and out == 1:
        return np.zeros(1)
    shift = n / 2 * (1 - out / (n * scale)) if mode == "half_pixel_symmetric" else 0.0
    if mode not in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        raise NotImplementedError(f"Resize with coordinates {mode}")
    return shift + (i + 0.5) / scale - 0.5


def _rounded(mode: str, place: NDArray) -> NDArray:
    if mode == "floor":
        return np.floor(place)
    if mode == "ceil":
        return np.ceil(place)
    return np.ceil(place - 0.5) if mode == "round_prefer_floor" else np.floor(place + 0.5)
