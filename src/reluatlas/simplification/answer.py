"""What is the answer to how simple a network can be? `Simplification`: the network, what went, and the proof."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from reluatlas.domain import Box, Segment, Slice
from reluatlas.network.network import Network
from reluatlas.network.record import Max
from reluatlas.shown import Shown
from reluatlas.simplification.certificate import Certificate
from reluatlas.simplification.removals import Removal
from reluatlas.simplification.size import Size

if TYPE_CHECKING:
    from reluatlas.exporters.rounded import Written


@dataclass(frozen=True, eq=False, repr=False)
class SimplifiedLayer(Shown):
    """What became of one layer of the network that was simplified.

    Attributes
    ----------
    node : int
        Index of the node in its `nodes`.
    name : str
    kind : {"units", "windows"}
    before, after : int
        How many there are, and stay.
    reasons : dict
        How many went, by reason.
    """

    node: int
    name: str
    kind: Literal["units", "windows"]
    before: int
    after: int
    reasons: dict[str, int]


@dataclass(frozen=True, eq=False, repr=False)
class Simplification(Shown):
    """A smaller network that is the same function on a domain. Made by `reluatlas.simplify`.

    Attributes
    ----------
    network : Network
        The smaller one; it takes the same inputs.
    before, after : Size
        Units, stored numbers and multiplications of both.
    removed : tuple of Removal
        Each unit and window that went, and why; in the order of activation patterns.
    error_bound : float
        No output differs by more from the given network's, anywhere on the domain; 0.0 when the functions are equal.
    error_bounds : ndarray, shape (n_outputs,)
        The same for each output.
    certificate : Certificate
    given : Network
    domain : Box, Slice or Segment
    tolerance : float
    objective : {"units", "numbers"}
    n_programs : int
        Linear programs that were solved to settle units.
    is_complete : bool
        Whether all were solved that were to be; if not, some units that could go may have stayed.
    """

    network: Network
    before: Size
    after: Size
    removed: tuple[Removal, ...]
    error_bound: float
    error_bounds: np.ndarray
    certificate: Certificate
    given: Network
    domain: Box | Slice | Segment
    tolerance: float
    objective: Literal["units", "numbers"]
    n_programs: int
    is_complete: bool

    @property
    def reasons(self) -> dict[str, int]:
        """How many units and windows went, by reason."""
        return dict(Counter(r.reason for r in self.removed).most_common())

    @property
    def layers(self) -> tuple[SimplifiedLayer, ...]:
        """What became of each layer of the given network."""
        out = []
        for t, columns in self.given.pattern_slices().items():
            node = self.given.nodes[t]
            here = Counter(r.reason for r in self.removed if columns.start <= r.unit < columns.stop)
            n = columns.stop - columns.start
            kind = "windows" if isinstance(node, Max) else "units"
            name = getattr(node, "name", "")
            out.append(SimplifiedLayer(t, name, kind, n, n - here.total(), dict(here.most_common())))
        return tuple(out)

    def save_onnx(self, path: str | PathLike[str], *, dtype: Literal["float64", "float32"] = "float64") -> Written:
        """Write the network as an ONNX file; see `reluatlas.exporters.onnx.save_onnx`."""
        from reluatlas.exporters.onnx import save_onnx

        return save_onnx(self.network, path, dtype=dtype, domain=self.domain)

    def to_torch(self) -> Any:
        """Return the network as a torch module, in float64; see `reluatlas.exporters.torch.to_torch`."""
        from reluatlas.exporters.torch import to_torch

        return to_torch(self.network)

    def __repr__(self) -> str:
        same = "the same function" if self.error_bound == 0 else f"at most {self.error_bound:.3g} off"
        return (
            f"Simplification({self.before.units:,} -> {self.after.units:,} units, {self.before.numbers:,} -> "
            f"{self.after.numbers:,} numbers, {self.before.multiply_adds:,} -> {self.after.multiply_adds:,} "
            f"multiplications; {same} on the domain)"
        )
