"""Cells without vertices equal the oracle's on boxes and on the whole space, for every degenerate family."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

import reluatlas as ra
from reluatlas.cells.polyhedra import Tree
from reluatlas.domain import Space
from reluatlas.network.graph import Network
from tests.convert import to_nodes
from tests.data import path_of  # type: ignore[attr-defined]
from tests.oracles import anywhere
from tests.zoo import FAMILIES
