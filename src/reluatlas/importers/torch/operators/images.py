"""Which ATen operators look at windows of an image, or at whole axes? Their rows of the operator table."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from reluatlas.importers.lowering import windows as images
from reluatlas.importers.lowering.tensors import Lowering, Tensor
from reluatlas.importers.lowering.windows import Window
from reluatlas.importers.torch.call import Call, Operator, constant, tensor


def _each(values: Any, n: int) -> list[int]:
    listed = [int(v) for v in np.atleast_1d(np.asarray(values, dtype=np.int64))]
    return listed * n if len(listed) == 1 else listed


def _convolution(low: Lowering, call: Call) -> Tensor:
    x, weight = tensor(low, call["input"], "input"), constant(low, call["weight"], "weight")
    n = len(x.shape) - 2
    values = [_each(call[name], n) for name in ("stride", "dilation", "padding")]
    windows = [Window(int(k), s, d, p, p) for k, s, d, p in zip(weight.shape[2:], *values, strict=True)]
    bias = None if call["bias"] is None else constant(low, call["bias"], "bias")
    return images.convolve(
        low, x, weight, bias, windows,
        groups=int(call["groups"]), turned=bool(call["transposed"]), extra=_each(call["output_padding"], n),
    )  # fmt: skip


def _pooled(low: Lowering, call: Call) -> tuple[Tensor, list[Window]]:
    x = _image(low, call)
    n = len(x.shape) - 2
    kernel = _each(call["kernel_size"], n)
    stride = _each(call["stride"], n) if call["stride"] else kernel
    padding, dilation = _each(call["padding"], n), _each(call.get("dilation", 1), n)
    rows = zip(kernel, stride, dilation, padding, strict=True)
    return x, [Window(k, s, d, p, p) for k, s, d, p in rows]


def _image(low: Lowering, call: Call) -> Tensor:
    x = tensor(low, call.get("self", call.get("input")), "argument")
    images.image_shape(low, x)
    return x


def _average_pool(low: Lowering, call: Call) -> Tensor:
    x, windows = _pooled(low, call)
    divisor = call.get("divisor_override")
    return images.average_pool(
        low, x, windows, ceil=bool(call["ceil_mode"]), count_padding=bool(call["count_include_pad"]),
        divisor=None if divisor is None else int(divisor),
    )  # fmt: skip


def _max_pool(low: Lowering, call: Call) -> list[Tensor]:
    x, windows = _pooled(low, call)
    return [images.max_pool(low, x, windows, ceil=bool(call["ceil_mode"]))]


def _adaptive_average(low: Lowering, call: Call) -> Tensor:
    x = _image(low, call)
    outs = _each(call["output_size"], len(x.shape) - 2)
    places = images.adaptive_places(low, x, outs)
    return images.average(low, x, places, outs, (places >= 0).sum(axis=1))


def _adaptive_max(low: Lowering, call: Call) -> list[Tensor]:
    x = _image(low, call)
    outs = _each(call["output_size"], len(x.shape) - 2)
    return [images.largest(low, x, images.adaptive_places(low, x, outs), outs)]


def _reduce(kind: str, *, pair: bool = False) -> Operator:
    def lower(low: Lowering, call: Call) -> Tensor | list[Tensor]:
        axes = call.get("dim")
        chosen = None if axes is None or axes == [] else _each(axes, 1)
        x = tensor(low, call["self"], "argument")
        made = images.reduced(low, x, chosen, keep=bool(call.get("keepdim")), kind=kind)
        return [made] if pair else made

    return lower


def _pad(low: Lowering, call: Call) -> Tensor:
    x = tensor(low, call["self"], "argument")
    pads, value = [int(p) for p in call["pad"]], float(call.get("value") or 0.0)
    before, after = [0] * len(x.shape), [0] * len(x.shape)
    for i in range(len(pads) // 2):
        before[-1 - i], after[-1 - i] = pads[2 * i], pads[2 * i + 1]
    mode = str(call.get("mode") or "constant")
    known = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in known:
        raise low.unsupported(f"its mode is {mode}; expected one of {', '.join(known)}.")
    return images.pad(low, x, before, after, value=value, mode=known[mode])


def _steps(low: Lowering, call: Call, x: Tensor) -> list[tuple[int, int, Fraction]]:
    """Return (length, new length, step in old positions) for each axis."""
    sizes = x.shape[2:]
    scales = call.get("scale_factors")
    if scales is None:
        names = (("scales",), ("scales_h", "scales_w"), ("scales_d", "scales_h", "scales_w"))[len(sizes) - 1]
        scales = [call.get(name) for name in names]
    wanted = call.get("output_size")
    out = []
    for i, n in enumerate(sizes):
        scale: Any = scales[i] if scales else None
        length = int(wanted[i]) if wanted is not None else int(n * float(scale))
        step = Fraction(n, length) if scale is None else 1 / Fraction(float(scale))
        if abs(step - Fraction(n, length)) <= 1e-12 * step:  # a factor that only approximates the ratio it means
            step = Fraction(n, length)
        out.append((n, length, step))
    return out


def _linear(low: Lowering, call: Call) -> Tensor:
    x = _image(low, call)
    rows = []
    for n, out, step in _steps(low, call, x):
        if call["align_corners"]:
            where = [Fraction(i * (n - 1), out - 1) if out > 1 else Fraction(0) for i in range(out)]
        else:
            where = [(i + Fraction(1, 2)) * step - Fraction(1, 2) for i in range(out)]
        rows.append([images.linear_row(p, n) for p in where])
    return images.resample(low, x, rows)


def _nearest(low: Lowering, call: Call) -> Tensor:
    x = _image(low, call)
    rows = []
    for n, out, step in _steps(low, call, x):
        # torch finds the nearest position in single precision
        places = np.floor(np.arange(out, dtype=np.float32) * np.float32(float(step))).astype(int)
        rows.append([[(min(int(p), n - 1), Fraction(1))] for p in places])
    return images.resample(low, x, rows)


def _average_all(low: Lowering, call: Call) -> Tensor:
    return images.reduced(low, tensor(low, call["self"], "argument"), None, keep=False, kind="mean")


IMAGE_OPERATORS: dict[str, Operator] = {
    "_adaptive_avg_pool2d": _adaptive_average,
    "_adaptive_avg_pool3d": _adaptive_average,
    "adaptive_avg_pool1d": _adaptive_average,
    "adaptive_max_pool2d": _adaptive_max,
    "adaptive_max_pool3d": _adaptive_max,
    "amax": _reduce("max"),
    "amin": _reduce("min"),
    "avg_pool1d": _average_pool,
    "avg_pool2d": _average_pool,
    "avg_pool3d": _average_pool,
    "constant_pad_nd": _pad,
    "convolution": _convolution,
    "max.default": _reduce("max"),
    "max.dim": _reduce("max", pair=True),
    "max_pool2d_with_indices": _max_pool,
    "max_pool3d_with_indices": _max_pool,
    "mean": _reduce("mean"),
    "min.default": _reduce("min"),
    "min.dim": _reduce("min", pair=True),
    "pad": _pad,
    "sum": _reduce("sum"),
    "upsample_bilinear2d": _linear,
    "upsample_linear1d": _linear,
    "upsample_nearest1d": _nearest,
    "upsample_nearest2d": _nearest,
    "upsample_trilinear3d": _linear,
}
