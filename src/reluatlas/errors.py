"""The exceptions of reluatlas: one root, each child also a subclass of the nearest builtin.

Every message is one sentence or two that say what was given (the argument as code), what was
expected, and what to do.
"""

from __future__ import annotations

import re

_LONGEST_WORD, _LONGEST_TEXT = 300, 3000
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")


class ReluAtlasError(Exception):
    """Root of all exceptions that reluatlas raises on purpose; see `shortened` for names that are endless."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(shortened(a) if isinstance(a, str) else a for a in arguments))


def shortened(text: str) -> str:
    """Return a message with the middle of what is endless left out: names in files can have a million characters.

    Words of up to 300 characters, such as paths, and texts of up to 3,000 are kept as they are.
    """
    text = _LONG_WORD.sub(lambda word: _without_middle(word[0], _LONGEST_WORD), text)
    return _without_middle(text, _LONGEST_TEXT)


def _without_middle(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most * 2 // 3]}...{text[-(most // 3 - 3) :]}"


class DimensionError(ReluAtlasError, ValueError):
    """Two things that must have the same dimension or shape do not."""


class DomainError(ReluAtlasError, ValueError):
    """A domain is empty, flat, not finite, or of a kind that the operation cannot take."""


class ArgumentError(ReluAtlasError, ValueError):
    """An argument has a value that makes no sense for the operation."""


class ModelFileError(ReluAtlasError, ValueError):
    """A model file is missing, empty, truncated, not a model, or not safe to read."""


class PropertyError(ReluAtlasError, ValueError):
    """A property says something that cannot be read: `line` and `column` say where, counted from 1."""

    def __init__(self, *arguments: object, line: int = 0, column: int = 0) -> None:
        super().__init__(*arguments)
        self.line, self.column = line, column


class DataFileError(ReluAtlasError, ValueError):
    """A file of images or labels is missing, damaged, or not the one that was expected."""


class NonFiniteError(ReluAtlasError, ValueError):
    """A weight or an input is NaN or infinite."""


class UnsupportedLayerError(ReluAtlasError, TypeError):
    """A model holds an operator that is not continuous piecewise linear, or not supported yet."""


class ImportMismatchError(ReluAtlasError, ValueError):
    """The imported network and the model it came from do not compute the same values."""


class ResultFileError(ReluAtlasError, ValueError):
    """A saved result is missing, truncated, of another version, or not a result of reluatlas."""


class MissingDependencyError(ReluAtlasError, ImportError):
    """An optional package is needed and not installed."""


class OnFaceError(ReluAtlasError, ValueError):
    """A point lies on a face shared by several cells where a single cell was asked for."""


class TimeLimitError(ReluAtlasError, TimeoutError):
    """A time limit was over before there was anything to give."""


class OutOfMemoryError(ReluAtlasError, MemoryError):
    """A network or a result does not fit into the memory that there is."""


class InternalError(ReluAtlasError, RuntimeError):
    """A certainty that reluatlas relies on was violated: a bug in reluatlas, please report it."""


class ClusterError(ReluAtlasError, RuntimeError):
    """A cluster cannot be reached or used, or lost what was to be computed on it."""


class ItemError(ClusterError):
    """A piece of work fails wherever it is done.

    Attributes
    ----------
    item : tuple of int
        Its number.
    path : str
        A file with its inputs; `python -m reluatlas.clusters.again FILE` does it again, here.
    """

    item: tuple[int, ...] = ()
    path: str = ""
