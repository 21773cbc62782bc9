"""What is to be explained? The margin of a class over another one, or an output: a sum of outputs with signs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reluatlas.errors import ArgumentError
from reluatlas.network.decision import class_name, ranked
from reluatlas.network.network import Network
from reluatlas.typing import FloatArray


class Question(NamedTuple):
    """Which sum of outputs is explained.

    Attributes
    ----------
    factors : dict of int to int
        The sign of each output that is added.
    label : int
        The class that the network decides on; -1 where an output is explained.
    against : int or None
        The other class; None where an output is explained.
    output : int or None
        The output; None where a margin is explained.
    """

    factors: dict[int, int]
    label: int
    against: int | None
    output: int | None

    def row(self, n_outputs: int) -> FloatArray:
        """Return what each output is multiplied with, shape (n_outputs,)."""
        out = np.zeros(n_outputs)
        out[list(self.factors)] = list(self.factors.values())
        return out

    def words(self, network: Network) -> str:
        """Return what is explained, for a sentence."""
        if self.output is not None:
            return f"output {self.output}" if network.n_outputs > 1 else "the output"
        assert self.against is not None
        return f"the margin of {class_name(network, self.label)} over {class_name(network, self.against)}"


def asked(network: Network, outputs: FloatArray, against: int | str | None, output: int | None) -> Question:
    """Return the question about a point with these outputs.

    Raises
    ------
    ArgumentError
        When there is no such class or output, or the network has no classes and no output is named.
    """
    m = network.n_outputs
    if output is not None:
        if against is not None:
            raise ArgumentError("`against` and `output` exclude each other: explain a margin, or one output.")
        if isinstance(output, bool) or not isinstance(output, int | np.integer) or not 0 <= output < m:
            raise ArgumentError(f"`output={output!r}` does not exist: the network has outputs 0 to {m - 1}.")
        return Question({int(output): 1}, -1, None, int(output))
    if network.classes is None:
        if m == 1 and against is None:
            return Question({0: 1}, -1, None, 0)
        raise ArgumentError(
            "the network was opened with `classes=None`: its outputs are numbers, not classes. Pass `output=` for the "
            f"one to explain, 0 to {m - 1}."
        )
    label, runner_up, _ = ranked(network, outputs)
    assert runner_up is not None
    other = runner_up if against is None else _class(network, against)
    if other == label:
        raise ArgumentError(
            f"`against={against!r}` is the class that the network decides on. Pass another one; the runner-up is "
            f"{class_name(network, runner_up)}."
        )
    if m == 1:
        return Question({0: 1 if label else -1}, label, other, None)
    sign = -1 if network.classes == "min" else 1
    return Question({label: sign, other: -sign}, label, other, None)


def _class(network: Network, against: int | str) -> int:
    n = max(2, network.n_outputs)
    if isinstance(against, str) and against in network.class_names:
        return network.class_names.index(against)
    if isinstance(against, int | np.integer) and not isinstance(against, bool) and 0 <= against < n:
        return int(against)
    names = f", or {', '.join(map(repr, network.class_names[:4]))}, ..." if network.class_names else ""
    raise ArgumentError(f"`against={against!r}` is no class of the network. Pass one of 0 to {n - 1}{names}.")
