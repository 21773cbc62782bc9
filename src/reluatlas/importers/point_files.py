"""Which numbers does a file of points hold? Arrays in `.npy` and `.npz`, tables in `.csv`, images in `.png`."""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reluatlas.errors import ArgumentError, DomainError
from reluatlas.network.point_shapes import Shape, is_single

ENDINGS = (".npy", ".npz", ".csv", ".png")
_ITEM = re.compile(
    r"^(?P<path>.*\.(npy|npz|csv|png))(:(?P<array>[A-Za-z_]\w*))?(:(?P<rows>-?\d+(,-?\d+)*))?$",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Item:
    """A file, perhaps one of its arrays, and perhaps some of its rows: `X.npy:0,5`, `data.npz:x_test:0,5`."""

    text: str
    path: Path
    array: str | None
    rows: tuple[int, ...] | None

    @property
    def ending(self) -> str:
        """What kind of file it is."""
        return self.path.suffix.lower()


def is_item(text: str) -> bool:
    """Return whether a text names a file of points."""
    return _ITEM.match(text) is not None


def item_of(text: str, given: str) -> Item:
    """Return what a text names; `given` is how it was given, for messages: "`--data X.txt`".

    Raises
    ------
    ArgumentError
        When it names no file of a known kind.
    """
    match = _ITEM.match(text)
    if match is None:
        raise ArgumentError(
            f"{given} is not a .npy, .npz, .csv or .png file; expected `FILE.npy`, or `FILE.npy:0,5,9` for some of its "
            "rows."
        )
    path, rows = Path(match["path"]), match["rows"]
    if match["array"] is not None and path.suffix.lower() != ".npz":
        raise ArgumentError(f"{given} names an array of a file that has only one. Leave out `:{match['array']}`.")
    return Item(text, path, match["array"], None if rows is None else tuple(int(r) for r in rows.split(",")))


def open_array(item: Item, given: str, shape: Shape) -> NDArray:
    """Return the array of an item, all its rows; that of an `.npy` file is mapped, an image has its channels last.

    Parameters
    ----------
    item : Item
    given : str
        How it was given, for messages.
    shape : tuple of int
        Of one input: of the arrays of an `.npz` file, the one that holds points of it is taken.

    Raises
    ------
    ArgumentError, DomainError
        When the file is missing, cannot be read, or holds no real numbers.
    """
    reader = {".npy": _mapped, ".csv": _table, ".png": _image}.get(item.ending)
    try:
        array = _packed(item, given, shape) if reader is None else reader(item.path)
    except FileNotFoundError:
        raise ArgumentError(f"{given}: there is no such file. Check the path.") from None
    except OSError as problem:
        raise ArgumentError(f"{given} cannot be read: {problem.strerror or problem}.") from None
    if array.dtype.kind not in "fiub":
        raise DomainError(f"`{item.path}` has type {array.dtype}; expected real numbers. Convert it and save it again.")
    return array


def _mapped(path: Path) -> NDArray:
    try:
        # mapped: a header that claims more than the file holds is refused, and nothing is unpickled
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, TypeError, SyntaxError, EOFError, OverflowError, MemoryError) as problem:
        raise ArgumentError(
            f"`{path}` is empty, truncated or not an array of numbers ({type(problem).__name__}). "
            "Save it with numpy.save(path, array)."
        ) from None


def _packed(item: Item, given: str, shape: Shape) -> NDArray:
    try:
        with item.path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("not an archive")
            names = list(file.files)
            if item.array is not None:
                if item.array not in names:
                    raise ArgumentError(
                        f"{given}: `{item.path}` has no array {item.array!r}; it has {', '.join(names) or 'none'}."
                    )
                return file[item.array]
            arrays = {name: file[name] for name in names}
    except (
        ValueError,
        EOFError,
        KeyError,
        zipfile.BadZipFile,
        zlib.error,
        MemoryError,
        NotImplementedError,
    ) as problem:
        if isinstance(problem, ArgumentError):
            raise
        raise ArgumentError(
            f"`{item.path}` is damaged, or no archive of arrays of numbers ({type(problem).__name__}). Save it with "
            "numpy.savez(path, X=array)."
        ) from None
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    fitting = [name for name, array in arrays.items() if is_single(array.shape, shape) is not None]
    if len(fitting) == 1:
        return arrays[fitting[0]]
    shown = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "none"
    example = (fitting or names or ["X"])[0]
    raise ArgumentError(
        f"`{item.path}` holds the arrays {shown}; {len(fitting) or 'none'} of them {'are' if fitting else 'is'} points "
        f"of shape {shape}. Name one: `{item.path}:{example}`."
    )


def _image(path: Path) -> NDArray:
    """Return an image as it is stored, whole numbers: (H, W), or (H, W, 3)."""
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.mode in ("1", "P", "CMYK", "YCbCr"):
                transparent = image.mode == "P" and "transparency" in image.info
                image = image.convert("RGBA" if transparent else "L" if image.mode == "1" else "RGB")
            array = np.asarray(image)
    except (ValueError, SyntaxError, EOFError, OSError, Image.DecompressionBombError) as problem:
        if isinstance(problem, OSError) and problem.errno is not None:
            raise
        raise ArgumentError(f"`{path}` is damaged, or no PNG image ({type(problem).__name__}).") from None
    if array.ndim == 3 and array.shape[2] in (2, 4):
        if np.any(array[:, :, -1] != np.iinfo(array.dtype).max):
            raise DomainError(f"`{path}` is transparent in places: its colors are not known. Save it without alpha.")
        array = array[:, :, :-1]
    return array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array


def rows_of_table(path: Path) -> list[list[str]]:
    """Return the cells of a table, as text."""
    return list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))


def has_names(rows: list[list[str]]) -> bool:
    """Return whether the first line of a table holds names: no cell of it is a number."""
    return bool(rows) and not any(_is_number(cell) for cell in rows[0])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _table(path: Path) -> NDArray[np.float64]:
    """Return the numbers of a table, one row for each line; a first line of names is left out."""
    try:
        rows = rows_of_table(path)
    except (UnicodeDecodeError, csv.Error) as problem:
        raise ArgumentError(f"`{path}` is no table of numbers with commas ({type(problem).__name__}).") from None
    first = int(has_names(rows))
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
