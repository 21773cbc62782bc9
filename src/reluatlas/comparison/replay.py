"""Does a runtime show the difference of two networks? Both are run in float32 at the witness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from reluatlas.comparison.record import ComparisonRecord
from reluatlas.errors import ArgumentError, MissingDependencyError
from reluatlas.network.network import Network
from reluatlas.shown import Shown
from reluatlas.typing import FloatArray

Runtime = Literal["onnxruntime", "torch"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)


@dataclass(frozen=True, eq=False)
class Replay(Shown):
    """What a runtime gives at the witness of a comparison, in float32.

    Attributes
    ----------
    runtime : str
    x : ndarray of float32, shape input_shape
        The witness as the runtime takes it.
    f, g : ndarray of float32, shape output_shape
        What it gives for both networks.
    exact : ndarray, shape (m,)
        What f - g is at the float64 witness, exactly, rounded once.
    error : float
        By how much the runtime's own f - g is off from that, at most over outputs; a float32 step of f where more.
    """

    runtime: Runtime
    x: NDArray[np.float32]
    f: NDArray[np.float32]
    g: NDArray[np.float32]
    exact: FloatArray
    error: float

    @property
    def difference(self) -> FloatArray:
        """The runtime's f - g, (m,), subtracted in float64."""
        return (self.f.astype(np.float64) - self.g.astype(np.float64)).reshape(-1)

    @property
    def shows_it(self) -> bool:
        """Whether the difference is more than the runtime is itself off by."""
        return float(np.abs(self.exact).max()) > self.error

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, for JSON."""
        return {
            "runtime": self.runtime,
            "x": self.x.reshape(-1).tolist(),
            "f": self.f.reshape(-1).tolist(),
            "g": self.g.reshape(-1).tolist(),
            "difference": self.difference.tolist(),
            "exact": self.exact.tolist(),
            "error": self.error,
            "shows_it": self.shows_it,
        }

    @property
    def words(self) -> str:
        """The answer in a sentence."""
        o = int(np.abs(self.exact).argmax())
        values = f"f = {self.f.reshape(-1)[o]:.9g}, g = {self.g.reshape(-1)[o]:.9g} in float32"
        said = (
            "it shows the difference"
            if self.shows_it
            else f"it cannot show the difference, being itself off by {self.error:.2g}"
        )
        where = "" if self.exact.size == 1 else f" in output {o}"
        return f"{self.runtime} gives {values}{where} at the witness, where f - g is {self.exact[o]:.6g}: {said}."


def replay(answer: ComparisonRecord, runtime: Runtime = "onnxruntime") -> Replay:
    """Return what a runtime gives at the witness of a comparison; see `Comparison.replay`."""
    if runtime not in RUNTIMES:
        raise ArgumentError(f'`runtime={runtime!r}` is unknown; expected "onnxruntime" or "torch".')
    if answer.found is None:
        raise ArgumentError("`answer` has no witness: the time was over before one was found. Give it more.")
    x = answer.found.x.astype(np.float32)
    run = {"onnxruntime": _by_onnxruntime, "torch": _by_torch}[runtime]
    with np.errstate(over="ignore", invalid="ignore"):
        f, g = run(answer.f, x), run(answer.g, x)
        exact = answer.found.difference
        off = np.abs((f.astype(np.float64) - g.astype(np.float64)).reshape(-1) - exact)
        error = float(np.maximum(off, np.spacing(np.abs(f)).reshape(-1)).max(initial=0.0))
    return Replay(runtime, x, f, g, exact, error if np.isfinite(error) else float("inf"))


def _by_onnxruntime(net: Network, x: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        import onnxruntime
    except ImportError:
        raise _missing("onnxruntime", "onnxruntime") from None
    from reluatlas.exporters.onnx import onnx_model

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        onnx_model(net, np.dtype(np.float32)).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, {"input": x.reshape(1, *net.input_shape)})[0])[0]


def _by_torch(net: Network, x: NDArray[np.float32]) -> NDArray[np.float32]:
    try:
        import torch
    except ImportError:
        raise _missing("torch", "reluatlas[torch]") from None
    from reluatlas.exporters.torch import to_torch

    with torch.no_grad():
        return to_torch(net, dtype="float32")(torch.from_numpy(x.reshape(1, *net.input_shape)))[0].numpy()


def _missing(runtime: str, package: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"`replay` with {runtime} needs it, and it is not installed. Install it: `pip install {package}`."
    )
