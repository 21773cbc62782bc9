"""Is a complex right, and would the check notice if it were not? For tests of this package and of others.

`assert_complex` raises an `AssertionError` that names the cell and the law; `broken_complexes` are copies of a right
complex, each wrong in one way; `FAMILIES` are networks on which fast code goes wrong, and `domain_for` says where.
Nothing here imports a test framework.
"""

from __future__ import annotations

from reluatlas.testing.broken import broken_complexes
from reluatlas.testing.laws import assert_complex
from reluatlas.testing.zoo import FAMILIES, domain_for

__all__ = ["FAMILIES", "assert_complex", "broken_complexes", "domain_for"]
