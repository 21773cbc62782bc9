"""How do affine maps go into a Parquet file, and back? One row of the table for each point and output."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from threading import Condition
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reluatlas.affine import AffineMaps
from reluatlas.errors import MissingDependencyError, ResultFileError
from reluatlas.network.maps.arrays import MapsShape, Room, cannot_write, checked_path, draft_of

FORMAT, VERSION = "reluatlas affine maps", 1
_HEAD = b"reluatlas"


class MapsTable:
    """A Parquet file with columns `point`, `output`, `A` (a list of n_inputs numbers), `b`, and maybe `is_on_face`.

    One row group for each batch of points and outputs, in their order. The file appears when it is whole; until then,
    and when something fails, a file that was there before stays as it is.

    Parameters
    ----------
    path : path
    shape : (N, m, n_inputs)
    dtype : dtype
    input_shape : tuple of int
    outputs : ndarray of int, shape (m,)
    with_faces : bool
        Whether `is_on_face` is a column.

    Raises
    ------
    MissingDependencyError
        When pyarrow is not installed.
    ArgumentError
        When the path cannot be written, or the disk has too little space.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        shape: MapsShape,
        dtype: np.dtype,
        *,
        input_shape: tuple[int, ...],
        outputs: NDArray[np.int64],
        with_faces: bool,
    ) -> None:
        self.path = Path(path)
        arrow, parquet = _pyarrow(f"`out={str(path)!r}`")
        n, m, size = shape
        checked_path(self.path, n * m * (size + 1) * dtype.itemsize)
        self._arrow, self._size, self._dtype, self._outputs = arrow, size, dtype, outputs
        self._room, self._turn = Room(), Condition()
        self._next: tuple[int, int] | None = (0, 0)
        number = arrow.from_numpy_dtype(dtype)
        columns = [("point", arrow.int64()), ("output", arrow.int64()), ("A", arrow.list_(number, size)), ("b", number)]
        if with_faces:
            columns.append(("is_on_face", arrow.bool_()))
        head = {
            "format": FORMAT, "version": VERSION, "n_maps": n, "input_shape": list(input_shape),
            "outputs": outputs.tolist(), "dtype": dtype.name,
        }  # fmt: skip
        self._schema = arrow.schema([arrow.field(name, kind, nullable=False) for name, kind in columns])
        self._schema = self._schema.with_metadata({_HEAD: json.dumps(head).encode()})
        self._draft = draft_of(self.path)
        keys = ["point", "output"]
        try:
            self._writer = parquet.ParquetWriter(
                str(self._draft), self._schema, compression="none", use_dictionary=keys, write_statistics=keys
            )
        except OSError as problem:
            self._draft.unlink(missing_ok=True)
            raise cannot_write(path, problem) from None

    def room(self, points: slice, outputs: slice) -> tuple[NDArray, NDArray]:
        """Return where a batch is to be written."""
        k, m = points.stop - points.start, outputs.stop - outputs.start
        kept = self._room.take(k * m * (self._size + 1), self._dtype)
        return kept[k * m :].reshape(k * m, self._size), kept[: k * m].reshape(k, m)

    def write(self, points: slice, outputs: slice, on_face: NDArray[np.bool_] | None) -> None:
        """Write the batch as a row group, when those before it are written."""
        A, b = self.room(points, outputs)
        arrow, (k, m) = self._arrow, b.shape
        arrays = [
            arrow.array(np.repeat(np.arange(points.start, points.stop), m)),
            arrow.array(np.tile(self._outputs[outputs], k)),
            arrow.FixedSizeListArray.from_arrays(arrow.array(A.reshape(-1)), self._size),
            arrow.array(b.reshape(-1)),
        ]
        if on_face is not None:
            arrays.append(arrow.array(np.repeat(on_face, m)))
        table = arrow.Table.from_arrays(arrays, schema=self._schema)
        with self._turn:
            self._turn.wait_for(lambda: self._next in (None, (points.start, outputs.start)))
            if self._next is None:
                return  # another batch failed: nothing will be kept
            try:
                self._writer.write_table(table, row_group_size=max(1, k * m))
            except OSError as problem:
                raise cannot_write(self.path, problem, "Nothing was kept.") from None
            whole = outputs.stop == self._outputs.size
            self._next = (points.stop, 0) if whole else (points.start, outputs.stop)
            self._turn.notify_all()

    def finish(self) -> None:
        """Give the file its name."""
        try:
            self._writer.close()
        except OSError as problem:
            raise cannot_write(self.path, problem) from None
        os.replace(self._draft, self.path)

    def drop(self) -> None:
        """Leave nothing behind; batches that wait for their turn end."""
        with self._turn:
            self._next = None
            self._turn.notify_all()
            with suppress(OSError):
                self._writer.close()
            self._draft.unlink(missing_ok=True)


class TableMaps(AffineMaps):
    """The maps of a Parquet file; `A` and `b` are read, whole, when they are first asked for.

    Raises
    ------
    MissingDependencyError
        When pyarrow is not installed.
    ResultFileError
        When the file is damaged, of another version, or not one of maps.
    """

    outputs: list[int]
    _dtype: np.dtype[Any]
    _path: Path
    _shape: tuple[int, ...]
    _arrow: Any
    _parquet: Any
    _kept: tuple[NDArray, NDArray] | None

    def __init__(self, path: str | os.PathLike[str], is_on_face: Any = None) -> None:
        arrow, parquet = _pyarrow(f"`{path}`")
        self._set(_path=Path(path), _arrow=arrow, _parquet=parquet)
        with self._opened() as file:
            names, n_rows = set(file.schema_arrow.names), file.metadata.num_rows
            try:
                head = json.loads((file.schema_arrow.metadata or {}).get(_HEAD, b"{}"))
            except (ValueError, RecursionError):
                head = None
        if not isinstance(head, dict) or head.get("format") != FORMAT:
            raise ResultFileError(f"`{path}` is not a file of affine maps. Pass one that `affine_at` wrote.")
        if head.get("version") != VERSION:
            raise ResultFileError(
                f"`{path}` has format version {head.get('version')!r}; this reluatlas reads version {VERSION}. Compute "
                "the maps again, or use the version that wrote it."
            )
        faces = self._stored_faces if is_on_face is None and "is_on_face" in names else is_on_face
        if not _is_sound(head) or head["n_maps"] * len(head["outputs"]) != n_rows:
            raise self._damaged()
        shape = head["n_maps"], len(head["outputs"]), *head["input_shape"]
        self._set(_shape=shape, _dtype=np.dtype(head["dtype"]), outputs=head["outputs"], _on_face=faces, _kept=None)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of `A`, known without reading it."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of `A` and `b`, known without reading them."""
        return self._dtype

    @property
    def A(self) -> NDArray[Any]:  # type: ignore[override]
        """Linear parts, (N, m, *input_shape)."""
        return self._read()[0]

    @property
    def b(self) -> NDArray[Any]:  # type: ignore[override]
        """Constants, (N, m)."""
        return self._read()[1]

    def __len__(self) -> int:
        return self._shape[0]

    def __repr__(self) -> str:
        return f"AffineMaps({len(self)} maps of {self._shape[2:]} to {self._shape[1]} outputs, {self.dtype}, in a file)"

    def __call__(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the value of map i at point i, shape (N, m)."""
        return AffineMaps(self.A, self.b)(X)

    def _opened(self) -> Any:
        try:
            return self._parquet.ParquetFile(self._path)
        except FileNotFoundError:
            raise ResultFileError(f"`{self._path}` does not exist. Pass a file that `affine_at` wrote.") from None
        except (OSError, self._arrow.ArrowException) as problem:
            said = str(problem).strip().partition("\n")[0].rstrip(".")
            raise ResultFileError(f"`{self._path}` is not a Parquet file, or is damaged ({said}).") from None

    def _groups(self, columns: list[str]) -> Any:
        # Row groups one after the other, with the points and outputs that each one holds.
        done, start = 0, 0
        with self._opened() as file:
            for i in range(file.num_row_groups):
                try:
                    group = file.read_row_group(i, columns=["point", "output", *columns])
                except (OSError, self._arrow.ArrowException):
                    raise self._damaged() from None
                k = np.unique(group["point"].to_numpy()).size
                m = group.num_rows // max(1, k)
                points, outputs = slice(done, done + k), slice(start, start + m)
                right = np.repeat(np.arange(done, done + k), m), np.tile(self.outputs[outputs], k)
                found = group["point"].to_numpy(), group["output"].to_numpy()
                if not all(np.array_equal(*pair) for pair in zip(right, found, strict=True)):
                    raise self._damaged()
                yield points, outputs, group
                done, start = (done + k, 0) if outputs.stop == self._shape[1] else (done, outputs.stop)
        if self._shape[1] and (done, start) != (self._shape[0], 0):
            raise self._damaged()

    def _damaged(self) -> ResultFileError:
        return ResultFileError(f"`{self._path}` is damaged: its rows are not those it says it has. Write it again.")

    def _read(self) -> tuple[NDArray, NDArray]:
        if self._kept is None:
            try:
                kept = A, b = np.empty(self._shape, self.dtype), np.empty(self._shape[:2], self.dtype)
            except (MemoryError, ValueError):
                raise self._damaged() from None
            for points, outputs, group in self._groups(["A", "b"]):
                part = A[points, outputs]
                try:
                    part[...] = group["A"].combine_chunks().flatten().to_numpy().reshape(part.shape)
                    b[points, outputs] = group["b"].to_numpy().reshape(part.shape[:2])
                except ValueError:
                    raise self._damaged() from None
            self._set(_kept=kept)
            return kept
        return self._kept

    def _stored_faces(self) -> NDArray[np.bool_]:
        out = np.zeros(len(self), dtype=bool)
        for points, outputs, group in self._groups(["is_on_face"]):
            out[points] = group["is_on_face"].to_numpy().reshape(-1, outputs.stop - outputs.start)[:, 0]
        return out


def _is_sound(head: dict[str, Any]) -> bool:
    """Return whether a head says how many maps there are, of which outputs, and of what type and shape."""
    numbers = [head.get("n_maps"), *_listed(head, "outputs"), *_listed(head, "input_shape")]
    return (
        all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in numbers)
        and isinstance(head.get("outputs"), list)
        and isinstance(head.get("input_shape"), list)
        and head.get("dtype") in ("float32", "float64")
    )


def _listed(head: dict[str, Any], name: str) -> list[Any]:
    value = head.get(name)
    return value if isinstance(value, list) else []


def _pyarrow(what: str) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingDependencyError(
            f"{what} needs pyarrow, which is not installed. Install it (`pip install reluatlas[parquet]`), or use a "
            "file that ends with .npy."
        ) from None
    return pyarrow, pyarrow.parquet
