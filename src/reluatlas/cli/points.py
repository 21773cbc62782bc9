"""Which points do the options name? Files of them, some rows of a file, or numbers typed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reluatlas.cli import console
from reluatlas.cli.options import Layout, Mean, Scale, Std
from reluatlas.errors import ArgumentError, DimensionError, DomainError

if TYPE_CHECKING:
    from reluatlas.importers.load_points import Reading
    from reluatlas.network.network import Network

_SHOWN = 4


@dataclass(frozen=True)
class PointUnits:
    """How the numbers of files become points."""

    layout: Layout = None
    scale: Scale = None
    mean: Mean = None
    std: Std = None

    @property
    def reading(self) -> Reading:
        """How files are read.

        Raises
        ------
        ArgumentError
            When an option has a value that it does not take.
        """
        from reluatlas.importers.load_points import Reading
        from reluatlas.network.point_shapes import LAYOUTS

        layout = None if self.layout is None else self.layout.lower()
        if layout not in (None, *LAYOUTS):
            raise ArgumentError(f"`--layout {self.layout}` is unknown; expected {' or '.join(LAYOUTS)}.")
        return Reading(layout, self.scale, _channels(self.mean, "--mean"), _channels(self.std, "--std"))  # type: ignore[arg-type]


def _channels(text: str | None, option: str) -> float | list[float] | None:
    if text is None:
        return None
    values = _typed_numbers(text, f"{option} {text}", option)
    return values[0] if len(values) == 1 else values


@dataclass(frozen=True, eq=False)
class Point:
    """One point: where it came from, its numbers, and the Python expression that reads it."""

    path: Path | None
    row: int | None
    x: NDArray[np.float64]
    code: str

    @property
    def label(self) -> str:
        """A short name for tables and figures."""
        if self.path is None:
            rest = ", ..." if self.x.size > _SHOWN else ""
            return f"({', '.join(f'{v:.6g}' for v in self.x[:_SHOWN])}{rest})"
        return self.path.stem if self.row is None else f"{self.path.stem}[{self.row}]"


def read_files(
    items: Sequence[str],
    input_shape: tuple[int, ...],
    option: str,
    *,
    units: PointUnits | None = None,
    quiet: bool = False,
    most: int | None = None,
) -> list[Point]:
    """Return the points that the values of an option name, in their order.

    Parameters
    ----------
    items : sequence of str
        Each a `.npy`, `.npz`, `.csv` or `.png` file, or `FILE.npy:0,5,9`, some of its rows.
    input_shape : tuple of int
        Of the network.
    option : str
        As it is typed, for errors.
    units : PointUnits, optional
    quiet : bool
        Whether nothing is said of values that look like pixels.
    most : int, optional
        A file with more points, of which no rows are chosen, is refused.

    Raises
    ------
    ArgumentError, DomainError, DimensionError
        When a file is missing or no array of finite numbers, or a shape does not fit.
    """
    reading, said = (units or PointUnits()).reading, set()
    out: list[Point] = []
    for item in items:
        out += _read(item, input_shape, option, reading, most=most, said=None if quiet else said)
    return out


def is_file(text: str) -> bool:
    """Return whether a value of an option names a file, rather than numbers."""
    from reluatlas.importers.point_files import is_item

    return is_item(text)


def all_points(data: Sequence[str], at: list[str], net: Network, units: PointUnits, *, quiet: bool) -> list[Point]:
    """Return the points of `--data` and of `--at`, those of files first."""
    return read_files(data, net.input_shape, "--data", units=units, quiet=quiet) + typed_points(at, net, "--at")


def _read(
    text: str, input_shape: tuple[int, ...], option: str, reading: Reading, *, most: int | None, said: set[str] | None
) -> list[Point]:
    from reluatlas.importers.load_points import rows_in
    from reluatlas.importers.point_files import item_of, open_array

    given = f"`{option} {text}`"
    item = item_of(text, given)
    array = open_array(item, given, input_shape)
    rows, is_one = rows_in(item, array, input_shape, reading, by_option=True)
    if said is not None and not reading.has_units and str(item.path) not in said:
        say_units(array, input_shape, str(item.path))
        said.add(str(item.path))
    if item.rows is None and most is not None and len(rows) > most:
        raise DomainError(
            f"`{item.path}` holds {len(rows):,} points; expected {most}. Choose rows: `{option} {text}:0,1,2`."
        )
    if not np.all(np.isfinite(rows)):
        raise DomainError(f"`{item.path}` holds NaN or an infinite number; a domain needs finite ones.")
    chosen = range(len(rows)) if item.rows is None else item.rows
    is_one = is_one or (item.rows is None and len(rows) == 1)
    whole = _code(item.path, item.array, array, reading)
    return [
        Point(item.path, None if is_one else row, np.array(x, dtype=np.float64), whole + ("" if is_one else f"[{row}]"))
        for row, x in zip(chosen, rows, strict=True)
    ]


def say_units(array: NDArray, input_shape: tuple[int, ...], path: str) -> None:
    """Say on stderr that points look like pixels, and what to do where they are to be scaled."""
    from reluatlas.importers.load_points import remark

    remarked = remark(array, input_shape)
    if remarked:
        console.notice(
            f"`{path}` {remarked}, taken as they are. If the network takes pixels from 0 to 1, pass `--scale 255`; if "
            "normalized ones, also `--mean` and `--std`.",
            quiet=False,
        )


def _code(path: Path, name: str | None, array: NDArray, reading: Reading) -> str:
    """Return the Python expression that reads a file."""
    from reluatlas.importers.point_files import has_names, rows_of_table

    ending = path.suffix.lower()
    if reading.layout is None and not reading.has_units and ending in (".npy", ".csv"):
        if ending == ".npy":
            return f"np.load({str(path)!r})"
        skip = ", skiprows=1" if has_names(rows_of_table(path)) else ""
        return f"np.loadtxt({str(path)!r}, delimiter=','{skip}, ndmin=2)"
    text = str(path) if name is None else f"{path}:{name}"
    return f"ra.load_points({text!r}, net{reading.code})"


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
            x = net.join(named)
            points.append(Point(None, None, x, f"np.array({x.tolist()!r})"))
            continue
        values = _typed_numbers(text, f"{option} {text}", option)
        if len(values) != n_inputs:
            raise DimensionError(
                f"`{option} {text}` has {len(values)} numbers but the network takes {n_inputs} inputs. Pass one number "
                "for each."
            )
        points.append(Point(None, None, np.array(values), f"np.array({values!r})"))
    return points


def _typed_numbers(text: str, given: str, option: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        raise ArgumentError(f"`{given}` is not numbers with commas, such as `{option} 0.1,0.2`.") from None
    if not all(isfinite(v) for v in values):
        raise DomainError(f"`{given}` holds NaN or an infinite number. Pass finite ones.")
    return values


def picture_sides(text: str | None) -> tuple[int, ...] | None:
    """Return the sides that `--image-shape` says: height and width, or channels, height and width.

    Raises
    ------
    ArgumentError
        When it says something else.
    """
    if text is None:
        return None
    sides = text.split(",")
    if not 2 <= len(sides) <= 3 or not all(side.strip().isdecimal() and int(side) > 0 for side in sides):
        raise ArgumentError(f"`--image-shape {text}` is no shape; expected height,width such as 28,28.")
    return tuple(map(int, sides))
