"""How does a network become a torch module? `to_torch`."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from reluatlas.errors import ArgumentError, MissingDependencyError
from reluatlas.exporters import plan as steps
from reluatlas.network.network import Network


def to_torch(net: Network, *, dtype: Literal["float64", "float32"] = "float64") -> Any:
    """Return a network as a torch module in evaluation mode, its numbers as buffers.

    It takes a batch `(N, *input_shape)` and gives `(N, *output_shape)`; in float64 with the numbers as they are.

    Parameters
    ----------
    net : Network
    dtype : {"float64", "float32"}

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    MissingDependencyError
        When torch is not installed.
    ArgumentError
        When `dtype` is another.
    """
    if dtype not in ("float64", "float32"):
        raise ArgumentError(f'`dtype={dtype!r}` is neither "float64" nor "float32".')
    try:
        import torch
    except ImportError:
        raise MissingDependencyError(
            "`to_torch` needs torch, which is not installed. Install it: `pip install reluatlas[torch]`."
        ) from None
    plan = steps.plan_of(net)
    kind = torch.float64 if dtype == "float64" else torch.float32

    class PiecewiseLinear(torch.nn.Module):
        """A network of reluatlas, computed step by step."""

        def __init__(self) -> None:
            super().__init__()
            for i, step in enumerate(plan.steps):
                for name, array in _arrays(step).items():
                    values = torch.from_numpy(np.ascontiguousarray(array))
                    self.register_buffer(f"{name}{i}", values.to(kind) if values.is_floating_point() else values)

        def forward(self, x: Any) -> Any:
            """Return the outputs at a batch of inputs."""
            tensors = [x.flatten(1)]
            for i, step in enumerate(plan.steps):
                held = {name: getattr(self, f"{name}{i}") for name in _arrays(step)}
                tensors.append(_computed(step, held, tensors))
            return tensors[plan.output].reshape(-1, *net.output_shape)

    return PiecewiseLinear().eval()


def _arrays(step: steps.Step) -> dict[str, np.ndarray]:
    """Return the arrays of a step, by name."""
    if isinstance(step, steps.Convolve):
        operator = step.operator
        if step.window is not None:
            return {"weight": operator.weight.reshape(*operator.weight.shape[:2], *step.window.kernel)}
        places = np.where(operator.places < 0, operator.n_positions, operator.places)
        return {"weight": operator.matrices, "places": places.T.reshape(-1)}
    held = {name: getattr(step, name) for name in step.__dataclass_fields__}
    return {name: value for name, value in held.items() if isinstance(value, np.ndarray)}


def _computed(step: steps.Step, held: dict[str, Any], tensors: list[Any]) -> Any:
    import torch
    from torch.nn import functional

    if isinstance(step, steps.Sum):
        total = tensors[step.sources[0]]
        for s in step.sources[1:]:
            total = total + tensors[s]
        return total + held["bias"] if "bias" in held else total
    x = tensors[step.source]
    if isinstance(step, steps.Linear):
        return functional.linear(x, held["weight"])
    if isinstance(step, steps.Take):
        taken = x.index_select(1, held["index"])
        return taken * held["scale"] if "scale" in held else taken
    if isinstance(step, steps.Rows):
        parts = x.index_select(1, held["index"].reshape(-1)).reshape(-1, *step.index.shape) * held["values"]
        return parts.mean(2) if step.is_mean else parts.sum(2)
    if isinstance(step, steps.Convolve):
        return _convolved(step, held, x)
    if isinstance(step, steps.Relu):
        return torch.relu(x)
    if isinstance(step, steps.Leaky):
        above = torch.relu(x) * held["above"] if "above" in held else torch.relu(x)
        return above - torch.relu(-x) * held["slope"]
    if isinstance(step, steps.Clip):
        low, high = (end if np.isfinite(end) else None for end in (step.low, step.high))
        return x.clamp(low, high)
    if isinstance(step, steps.Bent):
        total = x * held["slope"] + held["shift"]
        for j in range(step.knots.shape[1]):
            beyond = torch.relu(x - held["knots"][:, j])
            total = total + beyond * held["after"][:, j] - beyond * held["before"][:, j]
        return total
    return x.index_select(1, held["index"].reshape(-1)).reshape(-1, *step.index.shape).amax(2)


def _convolved(step: steps.Convolve, held: dict[str, Any], x: Any) -> Any:
    from torch.nn import functional

    operator, window = step.operator, step.window
    channels = operator.groups * operator.weight.shape[1]
    if window is None:
        image = functional.pad(x.reshape(-1, channels, operator.n_positions), (0, 1))
        taken = image.index_select(2, held["places"])
        columns = taken.reshape(-1, operator.groups, held["weight"].shape[2], operator.places.shape[0])
        return (held["weight"] @ columns).flatten(1)
    convolve = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[len(window.kernel)]
    pads = [p for ends in zip(reversed(window.begin), reversed(window.end), strict=True) for p in ends]
    image = functional.pad(x.reshape(-1, channels, *window.before), pads)
    made = convolve(image, held["weight"], None, window.strides, 0, window.dilations, operator.groups)
    return made.flatten(1)
