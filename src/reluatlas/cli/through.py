"""Which plane do `.npy` files span? `--through a.npy b.npy c.npy`, or three rows of one file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, DimensionError, DomainError

OPTION = "--through"
N_POINTS = 3
_MODEL = re.compile(r"\.(onnx|onnx\.gz|pt|pth|safetensors)$", re.IGNORECASE)
_ITEM = re.compile(r"^(?P<path>.*\.npy)(:(?P<rows>-?\d+(,-?\d+)*))?$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, eq=False)
class Point:
    """One point of the plane: where it came from, and its numbers."""

    path: Path
    row: int | None
    x: NDArray[np.float64]

    @property
    def label(self) -> str:
        """A short name for a figure."""
        return self.path.stem if self.row is None else f"{self.path.stem}[{self.row}]"

    @property
    def code(self) -> str:
        """The Python expression that reads it."""
        return f"np.load({str(self.path)!r})" + ("" if self.row is None else f"[{self.row}]")


def spread(arguments: list[str]) -> list[str]:
    """Return the arguments with `--through a b c` spelled `--through a --through b --through c`.

    A parser of options gives each a fixed number of values. Values end before the next option and
    before a model's file, so the model may stand on either side.
    """
    out: list[str] = []
    gathering = False
    for position, argument in enumerate(arguments):
        if argument == "--":
            return out + arguments[position:]
        if argument == OPTION or argument.startswith(f"{OPTION}="):
            gathering = True
            out += argument.split("=", 1)
        elif argument.startswith("-") or (gathering and _MODEL.search(argument)):
            gathering = False
            out.append(argument)
        elif gathering and out[-1] != OPTION:
            out += [OPTION, argument]
        else:
            out.append(argument)
    return out


def read_points(items: list[str], input_shape: tuple[int, ...], *, n_points: int | None = N_POINTS) -> list[Point]:
    """Return the points that `--through` names: three of a plane, or with `n_points=None` two or more of a line.

    Parameters
    ----------
    items : list of str
        Each `FILE.npy`, holding one point or one point per row, or `FILE.npy:0,5,9`, some of its rows.
    input_shape : tuple of int
        Of the network.

    Raises
    ------
    ArgumentError, DomainError, DimensionError
        When a file is missing or no array of numbers, a shape does not fit, or there are not three points.
    """
    points = [point for item in items for point in _read(item, input_shape, n_points)]
    if n_points is None:
        if len(points) < 2:
            raise DomainError(f"`{OPTION}` names {len(points)} point; expected 2 or more, the corners of the path.")
    elif len(points) != n_points:
        rows = f" Choose rows: `{OPTION} {items[0].partition(':')[0]}:0,1,2`." if len(items) == 1 else ""
        raise DomainError(f"`{OPTION}` names {len(points)} points; expected {n_points}, which span a plane.{rows}")
    return points


def _read(item: str, input_shape: tuple[int, ...], n_points: int | None) -> list[Point]:
    match = _ITEM.match(item)
    if match is None:
        raise ArgumentError(
            f"`{OPTION} {item}` is not a .npy file; expected `FILE.npy`, or `FILE.npy:0,5,9` for some of its rows."
        )
    path, rows = Path(match["path"]), match["rows"]
    array = open_array(path, OPTION)
    size = int(np.prod(input_shape))
    is_one = array.size == size and (array.ndim <= 1 or array.shape[-len(input_shape) :] == input_shape or rows is None)
    holds_rows = array.ndim >= 1 and array.shape[0] > 0 and array.size == array.shape[0] * size
    if rows is None and is_one:
        return [Point(path, None, _numbers(array, path).reshape(-1))]
    if not holds_rows:
        raise DimensionError(
            f"`{path}` has shape {array.shape} but the network takes points of shape {tuple(input_shape)}. "
            "Save one such point, or several stacked along a first axis."
        )
    if rows is None and n_points is not None and array.shape[0] > n_points:
        raise DomainError(
            f"`{path}` holds {array.shape[0]:,} points; expected {n_points}. Choose rows: `{OPTION} {path}:0,1,2`."
        )
    chosen = range(array.shape[0]) if rows is None else [int(r) for r in rows.split(",")]
    for row in chosen:
        if not -array.shape[0] <= row < array.shape[0]:
            raise ArgumentError(f"`{OPTION} {item}` asks for row {row} but `{path}` has {array.shape[0]:,} rows.")
    return [Point(path, row, _numbers(array[row], path).reshape(-1)) for row in chosen]


def open_array(path: Path, option: str) -> NDArray:
    """Return the array in a `.npy` file that an option names, mapped.

    Raises
    ------
    ArgumentError
        When it is missing, or no array.
    """
    try:
        # mapped: a header that claims more than the file holds is refused, and nothing is unpickled
        return np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise ArgumentError(f"`{option} {path}`: there is no such file. Check the path.") from None
    except OSError as problem:
        raise ArgumentError(f"`{option} {path}` cannot be read: {problem.strerror or problem}.") from None
    except (ValueError, TypeError, SyntaxError, EOFError, OverflowError, MemoryError) as problem:
        raise ArgumentError(
            f"`{path}` is empty, truncated or not an array of numbers ({type(problem).__name__}). "
            "Save it with numpy.save(path, array)."
        ) from None


def _numbers(array: NDArray, path: Path) -> NDArray[np.float64]:
    if array.dtype.kind not in "fiub":
        raise DomainError(f"`{path}` has type {array.dtype}; expected real numbers. Convert it and save it again.")
    values = np.array(array, dtype=np.float64)
    if not np.all(np.isfinite(values)):
        raise DomainError(f"`{path}` holds NaN or an infinite number; a domain needs finite ones.")
    return values
