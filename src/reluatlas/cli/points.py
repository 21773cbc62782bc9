"""Which points do the options name? Files of them, some rows of a file, or numbers typed in."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, DimensionError, DomainError

if TYPE_CHECKING:
    from reluatlas.network.network import Network

_ITEM = re.compile(r"^(?P<path>.*\.(npy|csv))(:(?P<rows>-?\d+(,-?\d+)*))?$", re.IGNORECASE | re.DOTALL)
_SHOWN = 4


@dataclass(frozen=True, eq=False)
class Point:
    """One point: where it came from, and its numbers."""

    path: Path | None
    row: int | None
    x: NDArray[np.float64]

    @property
    def label(self) -> str:
        """A short name for tables and figures."""
        if self.path is None:
            rest = ", ..." if self.x.size > _SHOWN else ""
            return f"({', '.join(f'{v:.6g}' for v in self.x[:_SHOWN])}{rest})"
        return self.path.stem if self.row is None else f"{self.path.stem}[{self.row}]"

    @property
    def code(self) -> str:
        """The Python expression that reads it."""
        if self.path is None:
            return f"np.array({self.x.tolist()!r})"
        if _is_table(self.path):
            skip = ", skiprows=1" if _has_names(_rows_of(self.path)) else ""
            whole = f"np.loadtxt({str(self.path)!r}, delimiter=','{skip}, ndmin=2)"
        else:
            whole = f"np.load({str(self.path)!r})"
        return whole + ("" if self.row is None else f"[{self.row}]")


def read_files(items: list[str], input_shape: tuple[int, ...], option: str, *, most: int | None = None) -> list[Point]:
    """Return the points that the values of an option name, in their order.

    Parameters
    ----------
    items : list of str
        Each `FILE.npy` or `FILE.csv`, holding one point or one point per row, or `FILE.npy:0,5,9`, some of its rows.
    input_shape : tuple of int
        Of the network.
    option : str
        As it is typed, for errors.
    most : int, optional
        A file with more points, of which no rows are chosen, is refused.

    Raises
    ------
    ArgumentError, DomainError, DimensionError
        When a file is missing or no array of finite numbers, or a shape does not fit.
    """
    return [point for item in items for point in _read(item, input_shape, option, most)]


def is_file(text: str) -> bool:
    """Return whether a value of an option names a file, rather than numbers."""
    return _ITEM.match(text) is not None


def typed_points(texts: list[str], net: Network, option: str) -> list[Point]:
    """Return points that were typed as numbers with commas, or by the parts of a joint input: `x=0.1,0.2 y=3`.

    Raises
    ------
    ArgumentError, DomainError, DimensionError
        When a text is not finite numbers, or of another number of inputs.
    """
    points, n_inputs = [], net.n_inputs
    for text in texts:
        if "=" in text:
            words = [word.rpartition("=") for word in text.split()]
            named = {name: _typed_numbers(given, f"{option} {text}", option) for name, _, given in words}
            points.append(Point(None, None, net.join(named)))
            continue
        values = _typed_numbers(text, f"{option} {text}", option)
        if len(values) != n_inputs:
            raise DimensionError(
                f"`{option} {text}` has {len(values)} numbers but the network takes {n_inputs} inputs. Pass one number "
                "for each."
            )
        points.append(Point(None, None, np.array(values)))
    return points


def _typed_numbers(text: str, given: str, option: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentError(f"`{given}` is not numbers with commas, such as `{option} 0.1,0.2`.") from None
    if not all(isfinite(v) for v in values):
        raise DomainError(f"`{given}` holds NaN or an infinite number. Pass finite ones.")
    return values


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


def _read(item: str, input_shape: tuple[int, ...], option: str, most: int | None) -> list[Point]:
    match = _ITEM.match(item)
    if match is None:
        raise ArgumentError(
            f"`{option} {item}` is not a .npy file, and not a .csv file; expected `FILE.npy`, or `FILE.npy:0,5,9` for "
            "some of its rows."
        )
    path, rows = Path(match["path"]), match["rows"]
    array = _open_table(path, option) if _is_table(path) else open_array(path, option)
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
    if rows is None and most is not None and array.shape[0] > most:
        raise DomainError(
            f"`{path}` holds {array.shape[0]:,} points; expected {most}. Choose rows: `{option} {path}:0,1,2`."
        )
    chosen = range(array.shape[0]) if rows is None else [int(r) for r in rows.split(",")]
    for row in chosen:
        if not -array.shape[0] <= row < array.shape[0]:
            raise ArgumentError(f"`{option} {item}` asks for row {row} but `{path}` has {array.shape[0]:,} rows.")
    return [Point(path, row, _numbers(array[row], path).reshape(-1)) for row in chosen]


def _numbers(array: NDArray, path: Path) -> NDArray[np.float64]:
    if array.dtype.kind not in "fiub":
        raise DomainError(f"`{path}` has type {array.dtype}; expected real numbers. Convert it and save it again.")
    values = np.array(array, dtype=np.float64)
    if not np.all(np.isfinite(values)):
        raise DomainError(f"`{path}` holds NaN or an infinite number; a domain needs finite ones.")
    return values


def _is_table(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))


def _has_names(rows: list[list[str]]) -> bool:
    """Return whether the first line holds names: no cell of it is a number."""
    return bool(rows) and not any(_is_number(cell) for cell in rows[0])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _open_table(path: Path, option: str) -> NDArray[np.float64]:
    """Return the numbers of a `.csv` file, one row for each line; a first line of names is left out.

    Raises
    ------
    ArgumentError
        When it is missing, empty, or a line has something else or another length.
    """
    try:
        rows = _rows_of(path)
    except FileNotFoundError:
        raise ArgumentError(f"`{option} {path}`: there is no such file. Check the path.") from None
    except OSError as problem:
        raise ArgumentError(f"`{option} {path}` cannot be read: {problem.strerror or problem}.") from None
    except (UnicodeDecodeError, csv.Error) as problem:
        raise ArgumentError(f"`{path}` is no table of numbers with commas ({type(problem).__name__}).") from None
    first = int(_has_names(rows))
    lines = [(n, row) for n, row in enumerate(rows[first:], start=first + 1) if any(cell.strip() for cell in row)]
    if not lines:
        raise ArgumentError(f"`{path}` holds no numbers. Write one point in each line, with commas.")
    width = len(lines[0][1])
    for number, row in lines:
        bad = next((cell for cell in row if not _is_number(cell)), None)
        if bad is not None:
            raise ArgumentError(f"`{path}`, line {number}: {bad.strip()!r} is not a number.")
        if len(row) != width:
            raise ArgumentError(
                f"`{path}`, line {number} has {len(row)} numbers but line {lines[0][0]} has {width}; they must agree."
            )
    return np.array([[float(cell) for cell in row] for _, row in lines])
