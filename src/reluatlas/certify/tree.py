"""Is a count what it is said to be? The tree of a certificate, walked once from its root: every leaf is one cell.

Children of a node fill it, whatever it says, as pieces follow each other and some candidate of a window is the largest.
What is checked: each child has an interior; no two of a node overlap; on a leaf no row changes its sign but those that
the tree cuts by, and its pattern is the stated one. Then leaves are cells, all of them, each once.

Rows are composed from the weights again, polytopes are kept by their vertices, signs are certain in float64 or settled
in whole numbers. Only a block of the tree and the way to it are in memory. Shares nothing with the search.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.certify.tree_exact import Exact
from reluatlas.certify.tree_form import ZERO, TreeFile, opening_tree, require_network
from reluatlas.certify.tree_pair import difference_of
from reluatlas.certify.tree_parts import Parts, joined, kept, signs, whole_box
from reluatlas.certify.tree_path import Local, Path
from reluatlas.certify.tree_rows import Rows, Tensor
from reluatlas.certify.tree_units import Breaks, Cut, Exactly, Seen, Sure, Windows
from reluatlas.deadline import look
from reluatlas.domain import Box, Slice
from reluatlas.errors import ReluAtlasError
from reluatlas.network.record import Breakpoints, Graph, Max
from reluatlas.progress import Progress, tells
from reluatlas.shown import Shown
from reluatlas.typing import IntArray

_TOLD = 20
_LOST = 1e300
_BYTES = 2**28
_NUMBERS = 2**21


@dataclass(repr=False)
class TreeReport(Shown):
    """What the check of a count found.

    Attributes
    ----------
    problems : list of str
        The first ones; empty when everything holds.
    n_cells : int
        Leaves that are cells with the stated pattern.
    n_claimed : int
        The count that the certificate is of.
    domain : Box or Slice
        Where these cells are.
    n_nodes : int
        Nodes of the tree, leaves among them.
    n_settled : int
        Signs that float64 left open, settled in whole numbers.
    claims : list of str
        What else is claimed of each cell: "zero", that the outputs are 0.
    seconds : float
    """

    problems: list[str] = field(default_factory=list)
    n_cells: int = 0
    n_claimed: int = 0
    domain: Box | Slice | None = None
    n_nodes: int = 0
    n_settled: int = 0
    claims: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __bool__(self) -> bool:
        return self.is_ok


@tells("cells", "share")
def check_tree(net: Graph, path: str | PathLike[str], *, progress: Progress = None) -> TreeReport:
    """Return what is wrong with the certificate of a count or a complex; nothing, when the count is right.

    Parameters
    ----------
    net : Network
        The network that was counted.
    path : path
        What `count_cells(..., certificate=path)` or `save_tree` wrote.
    progress : bool or callable(what, done, share), optional
        True shows a bar; a function is told how many cells are found to be right, and their share.

    Returns
    -------
    TreeReport
        Is true when nothing is wrong.

    Raises
    ------
    ResultFileError
        When the file cannot be read, or is the certificate of another network.
    DimensionError
        When its cells are those of a network with other inputs or units.

    Guarantees
    ----------
    Exact: accepted only when the tree's leaves are the cells of the network on the domain, each once, with the stated
    patterns and in the stated number. What the file says, whatever it is, gives problems and no exception. Shares
    nothing with the search. Memory does not grow with the number of cells.

    Cost
    ----
    Each layer's rows are composed once for each cell of the layers before, and looked at once at the vertices of each
    cell. Signs that float64 leaves open are settled in whole numbers, one by one, which is slow: networks without
    biases, or with equal units, have many.

    References
    ----------
    [Rump2010] for the bound on the places of vertices; [MotzkinEtAl1953] for edges by the facets that both ends hold.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> net = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     count = ra.count_cells(net, ra.Box(-1, 1, dim=2), certificate=Path(folder) / "run.cert")
    ...     report = ra.certify.check_tree(net, Path(folder) / "run.cert")
    >>> report.is_ok, report.n_cells, report.n_nodes
    (True, 4, 7)
    """
    return _checked(net, path, progress, "the network", "")


@tells("cells", "share")
def check_equal(f: Graph, g: Graph, path: str | PathLike[str], *, progress: Progress = None) -> TreeReport:
    """Return what is wrong with the certificate that two networks are equal on a domain; nothing, when they are.

    Parameters
    ----------
    f, g : Network
        The networks that were compared, in this order.
    path : path
        What `compare(f, g, ..., certificate=path)` wrote.
    progress : bool or callable(what, done, share), optional
        As for `check_tree`.

    Returns
    -------
    TreeReport
        Is true when nothing is wrong: then f(x) = g(x) for each x of its `domain`.

    Raises
    ------
    ResultFileError
        When the file cannot be read, or is the certificate of other networks.
    DimensionError
        When the networks have other inputs, outputs or units than those that were compared.

    Guarantees
    ----------
    Exact, as `check_tree`: accepted only when the tree's leaves are the cells of f - g on the domain, each once, and
    f - g is composed to 0, without rounding, on each. The difference of both is joined here anew. Shares nothing with
    the search.

    Cost
    ----
    As `check_tree`. Of two networks that are equal but written differently, all rows of one are multiples of rows of
    the other, so that many signs are settled in whole numbers.

    References
    ----------
    [Rump2010], [MotzkinEtAl1953], as for `check_tree`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import reluatlas as ra
    >>> f = ra.load([(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.zeros(1))])  # relu(x) + relu(y)
    >>> g = ra.load([(np.eye(2)[::-1] * 2, np.zeros(2)), (np.ones((1, 2)) / 2, np.zeros(1))])  # relu(2 y) / 2 + ...
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     answer = ra.compare(f, g, ra.Box(-1, 1, dim=2), certificate=Path(folder) / "equal.cert")
    ...     report = ra.certify.check_equal(f, g, Path(folder) / "equal.cert")
    >>> report.is_ok, report.claims
    (True, ['zero'])
    """
    return _checked(difference_of(f, g), path, progress, "the difference of the two networks", ZERO)


def _checked(net: Graph, path: str | PathLike[str], tell: Any, of: str, claim: str) -> TreeReport:
    """Return what is wrong with a certificate of a network, which is to have a claim."""
    begin, report = time.monotonic(), TreeReport()
    refused: ReluAtlasError | None = None
    with opening_tree(path) as file:
        try:
            require_network(file, net, path, of=of)
            _check(net, file, report, tell)
            if claim and claim not in file.claims:
                report.problems.append("it proves a number of cells, and does not claim that the outputs are 0.")
        except ReluAtlasError as error:  # no fault of the file: said outside, where nobody takes it for one
            refused = error
            file.arrays.leave()
    if refused is not None:
        raise refused
    report.seconds = time.monotonic() - begin
    return report


def _check(net: Graph, file: TreeFile, report: TreeReport, tell: Callable[[int, float], None] | None) -> None:
    report.n_claimed, report.domain, report.claims = file.n_cells, file.domain, file.claims
    walk = _Walk(net, file, report)
    try:
        for block in file.blocks():
            for local in walk.path.through(block, walk.at_once):
                walk.check(local)
                if tell is not None:
                    tell(report.n_cells, report.n_cells / max(1, file.n_cells))
        walk.path.require_end()
    except ReluAtlasError:
        raise
    except ValueError as problem:
        report.problems.append(f"{problem}.")
        file.arrays.leave()
    report.n_nodes, report.n_settled = walk.path.n_nodes, walk.exact.n_settled
    for found, claimed, what in ((report.n_nodes, file.n_nodes, "nodes"), (report.n_cells, file.n_cells, "cells")):
        if found != claimed and not report.problems:
            report.problems.append(f"the tree has {found} {what}, not {claimed}.")


@dataclass(eq=False)
class _Stage:
    """B cells of the layers before one: what is known of each."""

    parts: Parts
    who: IntArray
    pattern: NDArray[np.int32]
    lost: NDArray[np.bool_]
    tensors: dict[int, Tensor]


@dataclass(eq=False)
class _Lot:
    """C parts of cells of a stage, within one layer: `home` says of which; see `tree_units` for `given` and `sure`."""

    parts: Parts
    who: IntArray
    home: IntArray
    given: IntArray
    sure: Sure

    def take(self, which: Any) -> _Lot:
        return _Lot(self.parts.take(which), self.who[which], self.home[which], self.given[which], self.sure[which])


def _joined(lots: list[_Lot]) -> _Lot:
    columns = ([getattr(lot, name) for lot in lots] for name in ("who", "home", "given", "sure"))
    return _Lot(joined([lot.parts for lot in lots]), *(np.concatenate(column) for column in columns))


class _Walk:
    def __init__(self, net: Graph, file: TreeFile, report: TreeReport) -> None:
        self.net, self.domain, self.report, self.claims = net, file.domain, report, file.claims
        self.exact = Exact(net, file.domain)
        self.rows = Rows(net, file.domain, with_output=ZERO in file.claims)
        nodes = (net.nodes[t] for t in net.cuts)
        self.kinds = [
            Windows(n) if isinstance(n, Max) else Breaks(n) for n in nodes if isinstance(n, Breakpoints | Max)
        ]
        self.path = Path([(kind.n_pieces, isinstance(kind, Windows)) for kind in self.kinds])
        self.last = -1 if ZERO in file.claims else max(net.cuts, default=0)
        k = file.domain.dim
        self.at_once = min(2**15, max(64, _BYTES // (self.rows.bytes_per_cell() + 40 * 4**k + 600)))

    def check(self, local: Local) -> None:
        """Check a block of the tree, from the root down."""
        n_units = self.exact.begin[-1]
        root = np.zeros(1, dtype=np.int64)
        lost = np.array([not self.rows.is_trusted])
        pattern = np.zeros((1, n_units), dtype=np.int32)
        stage = _Stage(whole_box(self.domain.box), root, pattern, lost, {0: self.rows.input})
        end = 0
        for layer, t in enumerate(self.net.cuts):
            self.rows.compose(stage.tensors, end + 1, t, stage.lost)
            stage, end = self._through(stage, layer, local), t
            if not len(stage.parts):
                return
        fine = (stage.pattern == local.patterns[local.leaf[stage.who]]).all(axis=1)
        for i in np.flatnonzero(~fine)[:_TOLD]:
            unit = int((stage.pattern[i] != local.patterns[local.leaf[stage.who[i]]]).argmax())
            self._say(f"the stated pattern of a cell is not that of its leaf: unit {unit} is on another piece")
        if ZERO in self.claims:
            fine &= self._is_zero(stage, end)
        self.report.n_cells += int(fine.sum())

    def _is_zero(self, stage: _Stage, end: int) -> NDArray[np.bool_]:
        self.rows.compose(stage.tensors, end + 1, len(self.net.nodes), stage.lost)
        out = stage.tensors[self.net.output]
        fine = ~stage.lost & (out.value == 0).all(axis=(0, 2)) & (out.error == 0).all(axis=(0, 2))
        for i in np.flatnonzero(~fine):
            fine[i] = self.exact.is_zero(tuple(stage.pattern[i].tolist()))
            if not fine[i]:
                self._say("the outputs are not 0 on a cell")
        return fine

    def _through(self, stage: _Stage, layer: int, local: Local) -> _Stage:
        """Return the cells of a stage cut by the units of a layer, with the pieces of these."""
        t, kind, first = self.net.cuts[layer], self.kinds[layer], self.exact.begin[layer]
        node = self.net.nodes[t]
        assert isinstance(node, Breakpoints | Max)
        source = stage.tensors[node.input]
        error = np.where(stage.lost[:, None], _LOST, source.error) if stage.lost.any() else source.error
        seen = Seen(source.value.transpose(1, 0, 2), error.transpose(1, 0, 2))
        n = len(stage.parts)
        # what has one piece on a whole cell has it on all parts of it: only the others are looked at again
        every = np.broadcast_to(np.arange(kind.n), (n, kind.n))
        none = np.full((n, kind.n), -1), np.zeros((n, kind.n, kind.n_rows), dtype=np.int8)
        lot = _Lot(stage.parts, stage.who, np.arange(n), *none)
        pieces, is_open = self._decide(lot, every, stage, seen, layer)
        column = np.where(is_open, np.cumsum(is_open, axis=1) - 1, -1)
        width = int(is_open.sum(axis=1).max(initial=0))
        units = np.full((n, width), -1)
        at = np.nonzero(is_open)
        units[at[0], column[at]] = at[1]
        lot.given, lot.sure = lot.given[:, :width], lot.sure[:, :width]
        done = []
        while True:
            look()
            here = local.layer[lot.who] == layer
            done.append(lot if not here.any() else lot.take(~here))
            if not here.any():
                break
            lot = self._children(lot, np.flatnonzero(here), column, stage, seen, layer, local)
        lot = _joined(done)
        found, wrong = self._decide(lot, units[lot.home], stage, seen, layer)
        for i, m in np.argwhere(wrong)[:_TOLD]:
            unit = first + units[lot.home[i], m]
            self._say(f"unit {unit} cuts a leaf, or is on another piece there than the tree says")
        fine = ~wrong.any(axis=1)
        lot = lot.take(fine)
        pattern = stage.pattern[lot.home]
        pieces = pieces[lot.home]
        i, m = np.nonzero(units[lot.home] >= 0)
        pieces[i, units[lot.home][i, m]] = found[fine][i, m]
        pattern[:, first : first + kind.n] = pieces
        lost, tensors = stage.lost[lot.home], {}
        if t != self.last:  # behind the last layer nobody asks for rows
            tensors = {s: tensor.take(lot.home) for s, tensor in stage.tensors.items()}
            tensors[t] = self.rows.chosen(node, tensors[node.input], pieces)
            lost |= self.rows.guard(tensors[t])
        return _Stage(lot.parts, lot.who, pattern, lost, tensors)

    def _decide(
        self, lot: _Lot, units: IntArray, stage: _Stage, seen: Seen, layer: int
    ) -> tuple[IntArray, NDArray[np.bool_]]:
        """Return the pieces of some units of each cell, and which have none on the whole of it."""
        pieces, wrong = np.zeros(units.shape, dtype=np.int64), np.zeros(units.shape, dtype=bool)
        kind, numbers = self.kinds[layer], units.shape[1] * self.kinds[layer].n_rows * lot.parts.x.shape[1]
        step = max(1, _NUMBERS // max(1, numbers))
        for begin in range(0, len(units) if units.size else 0, step):
            look()
            part = slice(begin, begin + step)
            some = lot.take(part)
            pieces[part], wrong[part] = kind.decide(
                seen, some.parts, some.home, units[part], some.given, some.sure, self._settling(some, stage, layer)
            )
        return pieces, wrong

    def _settling(self, lot: _Lot, stage: _Stage, layer: int) -> Exactly:
        first = self.exact.begin[layer]

        def exactly(part: int, vertex: int, a: int, b: int) -> int:
            prefix = tuple(stage.pattern[lot.home[part], :first].tolist())
            facets = lot.parts.name[part][lot.parts.on[part, vertex]].tolist()
            return self.exact.sign(prefix, [(f[0], f[1], f[2]) for f in facets], (layer, a, b))

        return exactly

    def _children(
        self, lot: _Lot, cut: IntArray, columns: IntArray, stage: _Stage, seen: Seen, layer: int, local: Local
    ) -> _Lot:
        """Return the parts that some nodes of a lot are cut into; `columns` says where the open units are."""
        kind, first = self.kinds[layer], self.exact.begin[layer]
        column = columns[lot.home[cut], local.unit[lot.who[cut]] - first]
        if (column < 0).any():
            self._say(f"a node cuts by a unit of layer {layer} that has one piece on the whole cell")
            cut = cut[column >= 0]
        up, child = local.children(lot.who[cut])
        lot = lot.take(cut[up])
        above = lot.who
        pieces = [local.pieces[i] for i in above.tolist()] if isinstance(kind, Windows) else []
        node = Cut(local.unit[above] - first, local.label[child], local.low[above], local.high[above], pieces)
        column = columns[lot.home, node.unit]
        lot.who = child
        lot.given[np.arange(child.size), column] = node.piece
        kind.note(lot.sure, column, node)
        fine, every = np.ones(child.size, dtype=bool), np.arange(child.size)
        for which, a, b, side in kind.walls(node):
            some = lot if which.size == child.size else lot.take(which)
            row, error = kind.rows(seen, some.home, a, b)
            row = row * side[:, None]
            exactly = self._settling(some, stage, layer)

            def settle(i: int, v: int, asked: Any = (exactly, a, b, side)) -> int:
                f, first, second, sign = asked
                return int(sign[i]) * f(i, v, int(first[i]), int(second[i]))

            sign = signs(some.parts, row, error, settle)
            fine[which] &= (sign > 0).any(axis=1)
            part = kept(some.parts, sign, row, error, np.stack([np.full(a.size, layer), a, b], axis=1))
            if some is lot:
                lot.parts = part
            else:
                rest = np.setdiff1d(every, which)
                back = np.argsort(np.concatenate([which, rest]))
                lot.parts = joined([part, lot.parts.take(rest)]).take(back)
        if not fine.all():
            self._say(f"a node lists a piece of a unit of layer {layer} that has no interior there")
        return lot.take(fine) if not fine.all() else lot

    def _say(self, text: str) -> None:
        if len(self.report.problems) < _TOLD:
            self.report.problems.append(f"{text}.")
