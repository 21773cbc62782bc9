"""What proves that a property holds? `PropertyCertificate`: boxes cut into parts, with what refutes each part.

A node of a tree cuts its part in two: by a value of an input, or of what a unit reads (node and entry of the network
without windows, `reluatlas.certify.binary`). So the leaves cover the box, whatever a tree says. On a leaf a case is
refuted by one of its inequalities, or by a sum, with weights that are not negative, of inequalities of the case and of
what the units' cuts on the way say: it is positive all over the leaf, where each term would have to be at most 0.

Or others have the leaf's points. A leaf is *thin* when a sum of what cuts say is nowhere negative, so that each of its
terms is 0 on the leaf, and one of them is an affine function that is not constant: the leaf has no interior, and the
other leaves, which are closed, cover the box without it. A leaf is there *twice* when it is above a cut's value, but on
all of it the unit reads at most that value: so what is below the cut has its points, too. From above cuts to below
them one cannot go forever.

A part of the check of certificates: shares nothing with the search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reluatlas.storage.archive import Archive

ARCHIVE = Archive("reluatlas property certificate", 1, what="the certificate of a property", again="Check it again")
Weights = tuple[tuple[int, Fraction], ...]
"""Which, and how often: inequality i of the case is i; cut d of units on the way from the root is -1 - d."""
THIN = -1
"""The case of a claim that a leaf is thin: it is about no case, and made of cuts alone."""
TWICE = -2
"""The case of a claim that a leaf is there twice: it names one cut, of which the leaf is above."""


@dataclass(frozen=True, eq=False)
class PropertyTree:
    """How one box is cut, and what refutes the leaves.

    Attributes
    ----------
    node, entry : ndarray of int, shape (m,)
        What is cut: entry of an input (node 0) or of what the units of a node read; node -1 is a leaf. 0 is the root.
    value : ndarray, shape (m,)
    low, high : ndarray of int, shape (m,)
        The parts below and above the value; -1 of a leaf.
    claims : mapping of (int, int) to Weights
        By leaf and case, where no inequality refutes the case by itself.
    """

    node: NDArray[np.int32]
    entry: NDArray[np.int32]
    value: NDArray[np.float64]
    low: NDArray[np.int32]
    high: NDArray[np.int32]
    claims: Mapping[tuple[int, int], Weights]

    @property
    def n_leaves(self) -> int:
        """Number of parts that are not cut."""
        return int((self.node == -1).sum())


@dataclass(frozen=True, eq=False)
class PropertyCertificate:
    """Why a property holds: a tree for each box of inputs. Proved by `reluatlas.certify.check_property_certificate`.

    Attributes
    ----------
    network, statement : str
        SHA-256 of what the network computes with, and of what the property says.
    trees : tuple of PropertyTree
        One for each of `Property.areas()`.
    """

    network: str
    statement: str
    trees: tuple[PropertyTree, ...]

    @property
    def n_leaves(self) -> int:
        """Number of parts of all boxes."""
        return sum(tree.n_leaves for tree in self.trees)

    def __repr__(self) -> str:
        return f"PropertyCertificate({len(self.trees)} boxes in {self.n_leaves:,} parts)"

    def save(self, path: str | PathLike[str]) -> None:
        """Write the certificate to a file, `.npz`.

        Raises
        ------
        ResultFileError
            When it cannot be written there.
        """
        arrays: dict[str, NDArray[Any]] = {}
        weights = []
        for i, tree in enumerate(self.trees):
            for name in ("node", "entry", "value", "low", "high"):
                arrays[f"{name}_{i}"] = getattr(tree, name)
            rows = []
            for (leaf, case), claim in tree.claims.items():
                for which, weight in claim:
                    rows.append((leaf, case, which))
                    weights.append(f"{weight.numerator:x}/{weight.denominator:x}")
            arrays[f"claims_{i}"] = np.array(rows, dtype=np.int32).reshape(-1, 3)
        head = {"network": self.network, "property": self.statement, "trees": len(self.trees), "weights": weights}
        ARCHIVE.write(path, head, arrays)


def load_property_certificate(path: str | PathLike[str]) -> PropertyCertificate:
    """Return the certificate in a file that `PropertyCertificate.save` wrote.

    Parameters
    ----------
    path : path

    Returns
    -------
    PropertyCertificate
        Not checked: that does `check_property_certificate`.

    Raises
    ------
    ResultFileError
        When the file is missing, damaged, of another version, or something else.

    Cost
    ----
    Reads the file once.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import reluatlas as ra
    >>> net = ra.load([([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])  # |x|
    >>> text = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (and (<= 0 X_0) (<= X_0 1) (<= 2 Y_0)))"
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "p.cert"
    >>> ra.check_property(net, text, certificate=file).verdict
    'holds'
    >>> ra.certify.load_property_certificate(file)
    PropertyCertificate(1 boxes in 1 parts)
    """
    with ARCHIVE.opening(path) as (head, arrays):
        n_trees, weights = head["trees"], iter(head["weights"])
        if isinstance(n_trees, bool) or not isinstance(n_trees, int) or n_trees < 0:
            raise ValueError("its number of trees is none")
        trees = []
        for i in range(n_trees):
            node = arrays.take(f"node_{i}", np.int32, (None,))
            m = node.size
            entry, low, high = (arrays.take(f"{name}_{i}", np.int32, (m,)) for name in ("entry", "low", "high"))
            value = arrays.take(f"value_{i}", np.float64, (m,))
            claims: dict[tuple[int, int], list[tuple[int, Fraction]]] = {}
            for leaf, case, which in arrays.take(f"claims_{i}", np.int32, (None, 3)).tolist():
                top, _, bottom = next(weights, "").partition("/")
                weight = Fraction(int(top, 16), int(bottom, 16))
                claims.setdefault((leaf, case), []).append((which, weight))
            trees.append(PropertyTree(node, entry, value, low, high, {k: tuple(v) for k, v in claims.items()}))
        if next(weights, None) is not None:
            raise ValueError("it has more weights than claims")
        return PropertyCertificate(str(head["network"]), str(head["property"]), tuple(trees))
