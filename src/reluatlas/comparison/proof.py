"""How is it proved to others that two networks are equal on a domain? By the tree of their cells, zero on each.

Written as the cells of the common refinement are found: those of the difference of both networks, which the decisions
on classes do not cut. Where the difference turns out not to be zero, there is nothing to prove, and no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from reluatlas.certify.tree_form import ZERO
from reluatlas.certify.tree_write import TreeWriter, writing_tree
from reluatlas.comparison.refinement import Refinement
from reluatlas.domain import Box, Slice
from reluatlas.network.join import difference


class Proof:
    """Takes the cells of a refinement; `holds` is to be set when they are all there, and the difference is 0 on each.

    Parameters
    ----------
    tree : TreeWriter or None
        None where no certificate is asked for: then nothing is done.
    n_base : int
        Columns of patterns that are units of f or g.
    """

    def __init__(self, tree: TreeWriter | None, n_base: int) -> None:
        self._tree, self._n_base = tree, n_base
        self._last: NDArray[np.integer] | None = None
        self.holds = False

    def add(self, patterns: NDArray[np.integer], *, is_different: bool) -> None:
        """Take the next cells; none any more once the networks are known to differ."""
        if is_different:
            self._tree = None
        if self._tree is None:
            return
        base = patterns[:, : self._n_base]
        # cells that only a decision parts are one cell here, and follow each other
        is_new = np.ones(len(base), dtype=bool)
        is_new[1:] = (base[1:] != base[:-1]).any(axis=1)
        if self._last is not None:
            is_new[0] = bool((base[0] != self._last).any())
        self._last = base[-1].copy()
        self._tree.add(base[is_new])


class _NothingToProve(Exception):
    """The networks differ, or whether they do is open."""


@contextmanager
def proving(path: str | PathLike[str] | None, both: Refinement, domain: Box | Slice) -> Iterator[Proof]:
    """Yield what takes the cells; the file appears when the block ends, and only if the proof holds.

    Raises
    ------
    ResultFileError
        When the file cannot be written there; nothing is left behind.
    """
    if path is None:
        yield Proof(None, both.n_base)
        return
    try:
        with writing_tree(path, difference(both.f, both.g), domain, claims=[ZERO]) as tree:
            proof = Proof(tree, both.n_base)
            yield proof
            if not proof.holds:
                raise _NothingToProve
    except _NothingToProve:
        pass
