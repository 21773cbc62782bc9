"""Which ONNX operators look at windows of an image, or at whole axes? Their rows of the operator table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil, floor, prod
from typing import Any

import numpy as np

from reluatlas.errors import DimensionError
from reluatlas.importers.lowering import windows as images
from reluatlas.importers.lowering.tensors import Lowering, Tensor
from reluatlas.importers.lowering.windows import Window
from reluatlas.importers.onnx.call import Call, Inputs, Refused, constant, tensor

PER_LENGTH = 64  # what an output along an axis costs in numbers: its place and weights are computed one by one


def _windows(low: Lowering, call: Call, t: Tensor, kernel: Sequence[int]) -> list[Window]:
    at, sizes = call.attributes, t.shape[2:]
    n = len(sizes)
    given = [at.get("strides") or [1] * n, at.get("dilations") or [1] * n, at.get("pads") or [0] * (2 * n)]
    if len(kernel) != n or [len(g) for g in given] != [n, n, 2 * n]:
        raise DimensionError(f"{low.label} has a kernel of {len(kernel)} axes for an image of {n}, or pads of others.")
    strides, dilations, pads = given
    windows = [
        Window(*(int(v) for v in values)) for values in zip(kernel, strides, dilations, pads[:n], pads[n:], strict=True)
    ]
    mode = _text(at.get("auto_pad", "NOTSET"))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        images.check_windows(low, windows, sizes)
        return [w.same(s, upper=mode == "SAME_UPPER") for w, s in zip(windows, sizes, strict=True)]
    if mode == "VALID":
        return [Window(w.kernel, w.stride, w.dilation) for w in windows]
    if mode != "NOTSET":
        raise low.unsupported(f"its auto_pad is {mode}; expected NOTSET, SAME_UPPER, SAME_LOWER or VALID.")
    return windows


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _weights(low: Lowering, inputs: Inputs) -> tuple[Tensor, np.ndarray, np.ndarray | None]:
    x, weight = tensor(low, inputs[0], "data"), constant(low, (*inputs, None)[1], "weights")
    if len(x.shape) < 3 or weight.ndim != len(x.shape):
        raise DimensionError(f"{low.label} has weights of shape {weight.shape} for an input of shape {x.shape}.")
    bias = inputs[2] if len(inputs) > 2 else None
    return x, weight, None if bias is None else constant(low, bias, "bias")


def _conv(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    x, weight, bias = _weights(low, inputs)
    windows = _windows(low, call, x, weight.shape[2:])
    return images.convolve(low, x, weight, bias, windows, groups=int(call.attributes["group"]))


def _conv_transpose(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    x, weight, bias = _weights(low, inputs)
    at, sizes = call.attributes, x.shape[2:]
    n = len(sizes)
    mode = _text(at.get("auto_pad", "NOTSET"))
    extra = [int(e) for e in at.get("output_padding") or [0] * n]
    plain = Call({**at, "auto_pad": b"NOTSET"}, call.run, call.opset)
    windows = _windows(low, plain, x, weight.shape[2:])
    wanted = at.get("output_shape")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [s * w.stride for s, w in zip(sizes, windows, strict=True)]
    if wanted is not None:
        fitted = []
        for w, s, o, e in zip(windows, sizes, wanted[-n:], extra, strict=True):
            total = max(0, (s - 1) * w.stride + e + w.reach - int(o))
            before = total // 2 if mode == "SAME_UPPER" else total - total // 2
            fitted.append(Window(w.kernel, w.stride, w.dilation, before, total - before))
        windows = fitted
    elif mode == "VALID":
        windows = [Window(w.kernel, w.stride, w.dilation) for w in windows]
    groups = int(at["group"])
    return images.convolve(low, x, weight, bias, windows, groups=groups, turned=True, extra=extra)


def pooled(low: Lowering, call: Call, inputs: Inputs) -> tuple[Tensor, list[Window]]:
    """Return the image that a pool reads, and its windows."""
    x = tensor(low, inputs[0], "data")
    images.image_shape(low, x)
    return x, _windows(low, call, x, call.attributes["kernel_shape"])


def _average_pool(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    x, windows = pooled(low, call, inputs)
    at = call.attributes
    return images.average_pool(
        low, x, windows, ceil=bool(at.get("ceil_mode")), count_padding=bool(at.get("count_include_pad"))
    )


def _max_pool(low: Lowering, call: Call, inputs: Inputs) -> list[Tensor | Refused]:
    x, windows = pooled(low, call, inputs)
    top = images.max_pool(low, x, windows, ceil=bool(call.attributes.get("ceil_mode")))
    return [top, Refused("the places of the largest entries jump where another becomes the largest")]


def _global(kind: str) -> Callable[[Lowering, Call, Inputs], Tensor]:
    def lower(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
        x = tensor(low, inputs[0], "data")
        return images.reduced(low, x, range(2, len(x.shape)), keep=True, kind=kind)

    return lower


def _reduce(kind: str) -> Callable[[Lowering, Call, Inputs], Tensor]:
    def lower(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
        x, at = tensor(low, inputs[0], "data"), call.attributes
        axes = at.get("axes")
        if len(inputs) > 1 and inputs[1] is not None:
            axes = constant(low, inputs[1], "axes").reshape(-1).tolist()
        if not axes and at.get("noop_with_empty_axes"):
            return x
        return images.reduced(low, x, axes or None, keep=bool(at.get("keepdims", 1)), kind=kind)

    return lower


def _upsample(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    scales = call.attributes.get("scales")
    if scales is None:
        scales = constant(low, inputs[1], "scales").reshape(-1).tolist()
    return _resized(low, call, tensor(low, inputs[0], "data"), scales, None)


def _resize(low: Lowering, call: Call, inputs: Inputs) -> Tensor:
    x = tensor(low, inputs[0], "data")
    if call.opset == 10:
        return _resized(low, call, x, constant(low, inputs[1], "scales").reshape(-1).tolist(), None)
    scales, sizes = (
        None if v is None or not (given := constant(low, v, "scales or sizes")).size else given.reshape(-1).tolist()
        for v in (*inputs[2:4], None, None)[:2]
    )
    return _resized(low, call, x, scales, sizes)


def _resized(low: Lowering, call: Call, x: Tensor, scales: Any, sizes: Any) -> Tensor:
    at, rank = call.attributes, len(x.shape)
    axes = [int(a) % rank for a in at.get("axes") or range(rank)]
    if (scales is None) == (sizes is None) or len(scales if sizes is None else sizes) != len(axes):
        raise DimensionError(f"{low.label} needs either scales or sizes, one for each of {len(axes)} axes.")
    if _text(at.get("keep_aspect_ratio_policy", "stretch")) != "stretch" or at.get("antialias"):
        raise low.unsupported(
            "it keeps the aspect ratio or smooths. Resize with the policy `stretch`, not antialiased."
        )
    if at.get("exclude_outside"):
        raise low.unsupported("it excludes outside samples, which changes the weights.")
    factors, lengths = [Fraction(1)] * rank, list(x.shape)
    for place, axis in enumerate(axes):
        if sizes is None:
            factors[axis] = Fraction(float(scales[place]))
            lengths[axis] = floor(factors[axis] * x.shape[axis])
        else:
            lengths[axis] = int(sizes[place])
            factors[axis] = Fraction(lengths[axis], x.shape[axis])
        if factors[axis] <= 0 or lengths[axis] < 1:
            raise DimensionError(f"{low.label} makes an axis of length {lengths[axis]}.")
    if lengths[:2] != list(x.shape[:2]) or rank < 3:
        raise low.unsupported("it resizes the batch or the channels. Resize the axes of the image only.")
    low.keep_size(lengths)
    low.spend(prod(lengths) + PER_LENGTH * sum(lengths[2:]))
    mode = _text(at.get("mode", "nearest"))
    place = _coordinates(low, call)
    rows = []
    for axis in range(2, rank):
        n, out, factor = x.shape[axis], lengths[axis], factors[axis]
        where = [place(i, factor, out, n) for i in range(out)] if factor != 1 else [Fraction(i) for i in range(out)]
        if mode == "nearest":
            rows.append([[(min(max(_nearest(low, call)(p), 0), n - 1), Fraction(1))] for p in where])
        elif mode in ("linear", "bilinear"):
            rows.append([images.linear_row(p, n) for p in where])
        else:
            raise low.unsupported(f"its mode is {mode}; expected nearest or linear.")
    return images.resample(low, x, rows)


def _coordinates(low: Lowering, call: Call) -> Callable[[int, Fraction, int, int], Fraction]:
    older = "coordinate_transformation_mode" not in call.attributes
    mode = "asymmetric" if older else _text(call.attributes["coordinate_transformation_mode"])
    half = Fraction(1, 2)

    def half_pixel(i: int, factor: Fraction, out: int, n: int) -> Fraction:
        return (i + half) / factor - half

    def symmetric(i: int, factor: Fraction, out: int, n: int) -> Fraction:
        center = Fraction(n, 2) * (1 - out / (factor * n))
        return center + (i + half) / factor - half

    def torch_half_pixel(i: int, factor: Fraction, out: int, n: int) -> Fraction:
        return (i + half) / factor - half if out > 1 else Fraction(0)

    def align_corners(i: int, factor: Fraction, out: int, n: int) -> Fraction:
        return Fraction(i * (n - 1), out - 1) if out > 1 else Fraction(0)

    def asymmetric(i: int, factor: Fraction, out: int, n: int) -> Fraction:
        return i / factor

    known = {
        "half_pixel": half_pixel,
        "half_pixel_symmetric": symmetric,
        "pytorch_half_pixel": torch_half_pixel,
        "align_corners": align_corners,
        "asymmetric": asymmetric,
    }
    if mode not in known:
        raise low.unsupported(f"its coordinate transformation is {mode}; expected one of {', '.join(known)}.")
    return known[mode]


def _nearest(low: Lowering, call: Call) -> Callable[[Fraction], int]:
    older = "coordinate_transformation_mode" not in call.attributes
    mode = "floor" if older else _text(call.attributes.get("nearest_mode", "round_prefer_floor"))
    half = Fraction(1, 2)
    known: dict[str, Callable[[Fraction], int]] = {
        "floor": floor,
        "ceil": ceil,
        "round_prefer_floor": lambda p: ceil(p - half),
        "round_prefer_ceil": lambda p: floor(p + half),
    }
    if mode not in known:
        raise low.unsupported(f"its nearest_mode is {mode}; expected one of {', '.join(known)}.")
    return known[mode]


IMAGE_OPERATORS = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global("mean"),
    "GlobalMaxPool": _global("max"),
    "MaxPool": _max_pool,
    "ReduceL1": _reduce("l1"),
    "ReduceMax": _reduce("max"),
    "ReduceMean": _reduce("mean"),
    "ReduceMin": _reduce("min"),
    "ReduceSum": _reduce("sum"),
    "Resize": _resize,
    "Upsample": _upsample,
}
