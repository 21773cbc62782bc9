"""What is asked of two networks on a domain, beside the largest difference? `Wanted`."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Literal

from reluatlas.comparison.norms import Norm

Method = Literal["cells", "boxes"]


@dataclass(frozen=True)
class Wanted:
    """What is asked of a domain, beside the largest difference."""

    norm: Norm = "inf"
    means: bool = True
    notices: tuple[str, ...] = ()
    method: Method | None = None
    eps: float | None = None
    certificate: str | PathLike[str] | None = None
    exact: bool = False
