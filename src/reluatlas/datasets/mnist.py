"""Which images do networks learn from here? MNIST, Fashion-MNIST, and the digits that come with scikit-learn.

MNIST and Fashion-MNIST are read from their original idx files. Their SHA-256 is checked: that of the unpacked content
for MNIST, that of the packed file for Fashion-MNIST (whose files are published with digests in packed form only).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from reluatlas.datasets.idx import read_idx, unpacked
from reluatlas.errors import ArgumentError, DataFileError

Name = Literal["digits", "mnist", "fashion-mnist"]
NAMES: tuple[str, ...] = get_args(Name)

FOLDER_VARIABLE = "RELUATLAS_DATA"
CACHE_VARIABLE = "RELUATLAS_CACHE"
PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

_MNIST_CONTENT = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
_MNIST_PACKED = (
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
)
_FASHION_PACKED = (
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
)
_MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "fashion-mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
}
_SCALE = {"digits": (16.0, 0.3053, 0.3760), "mnist": (255.0, 0.1307, 0.3081), "fashion-mnist": (255.0, 0.2860, 0.3530)}
_HELD_OUT = 6  # one training image in so many
_TEST = 5  # one of scikit-learn's digits in so many


@dataclass(frozen=True, eq=False)
class Images:
    """Gray images of ten classes, to train and to test with.

    Attributes
    ----------
    name : str
    X_train, X_test : ndarray of uint8, shape (N, height, width)
        Pixels as they are stored.
    y_train, y_test : ndarray of int64, shape (N,)
        Classes, 0 to 9.
    pixel_max, mean, std : float
        A network's input is `(pixel / pixel_max - mean) / std`.
    source : str
        Where they were read from.
    digest : str
        SHA-256 over all four arrays.
    """

    name: str
    X_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    X_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    pixel_max: float
    mean: float
    std: float
    source: str
    digest: str

    @property
    def side(self) -> int:
        """Height and width of an image."""
        return self.X_train.shape[1]

    def inputs(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return images as a network takes them, float32, shape (N, 1, height, width)."""
        scaled = (np.asarray(X, dtype=np.float64) / self.pixel_max - self.mean) / self.std
        return scaled.astype(np.float32)[:, None]

    def few(self, n: int) -> Images:
        """Return the first n // 10 training images of each class and the first n // 60 test images, at least one.

        Fewer where a class has fewer; in the order in which they are stored.

        Raises
        ------
        ArgumentError
            When n is below 10, which leaves a class without images.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 10:
            raise ArgumentError(f"`images={n!r}` must be a whole number of at least 10: one image of each class.")
        train, test = _first(self.y_train, int(n) // 10), _first(self.y_test, max(1, int(n) // 60))
        X, y, X_test, y_test = self.X_train[train], self.y_train[train], self.X_test[test], self.y_test[test]
        return replace(self, X_train=X, y_train=y, X_test=X_test, y_test=y_test, digest=_digest(X, y, X_test, y_test))

    def held_out(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return positions in the training images: those to fit on, and one in six that is held out to choose by.

        Guarantees: always the same split; both in rising order; every class is held out in proportion, rounded.
        """
        kept = held_out(self.y_train)
        return np.flatnonzero(~kept), np.flatnonzero(kept)


def held_out(y: NDArray[np.integer], *, one_in: int = _HELD_OUT, seed: int = 0) -> NDArray[np.bool_]:
    """Return which of the labeled items are held out: one in so many of each class, drawn from the seed."""
    order = np.random.default_rng(seed).permutation(len(y))
    kept = np.zeros(len(y), dtype=bool)
    for label in np.unique(y):
        here = order[y[order] == label]
        kept[here[: round(len(here) / one_in)]] = True
    return kept


def load_images(name: Name = "digits", *, data_dir: str | Path | None = None) -> Images:
    """Return images to train and to test with.

    Parameters
    ----------
    name : {"digits", "mnist", "fashion-mnist"}
        "digits": 1,797 images of 8 x 8 pixels that scikit-learn ships; one in five of each class is the test set.
        "mnist" and "fashion-mnist": 60,000 and 10,000 images of 28 x 28 pixels.
    data_dir : path, optional
        Folder with the four idx files, packed by gzip or not, or with a subfolder `mnist` or `fashion-mnist` that
        holds them. When left out: the folder of the environment variable RELUATLAS_DATA, where it has them; else a
        cache (RELUATLAS_CACHE, or the user's), into which they are downloaded once.

    Raises
    ------
    ArgumentError
        When there is no data set of that name.
    DataFileError
        When a file is missing, damaged, or has another SHA-256 than expected; names the file and both digests.

    Guarantees: the same arrays on every machine; every file that is read is checked against its SHA-256.
    """
    if name not in NAMES:
        raise ArgumentError(f"`name={name!r}` is no data set. Pass one of {', '.join(NAMES)}.")
    if name == "digits":
        arrays, source = _digits(), "scikit-learn"
    else:
        folder = _folder(name, data_dir)
        paths = _download(name) if folder is None else [_file(folder, part) for part in PARTS]
        arrays = tuple(_checked(name, i, path) for i, path in enumerate(paths))
        source = str(paths[0].parent)
    X, y, X_test, y_test = (np.ascontiguousarray(a) for a in arrays)
    for images, labels, part in ((X, y, "training"), (X_test, y_test, "test")):
        if images.ndim != 3 or images.shape[1] != images.shape[2] or labels.shape != images.shape[:1]:
            raise DataFileError(
                f"the {part} files in `{source}` do not fit: images {images.shape}, labels {labels.shape}."
            )
    digest = _digest(X, y, X_test, y_test)
    return Images(name, X, y.astype(np.int64), X_test, y_test.astype(np.int64), *_SCALE[name], source, digest)


def _digest(*arrays: NDArray) -> str:
    return hashlib.sha256(b"".join(a.astype(np.uint8).tobytes() for a in arrays)).hexdigest()


def _first(y: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    return np.sort(np.concatenate([np.flatnonzero(y == label)[:n] for label in np.unique(y)]))


def _digits() -> tuple[NDArray, ...]:
    from sklearn.datasets import load_digits

    rows, labels = load_digits(return_X_y=True)
    X, y = np.asarray(rows).astype(np.uint8).reshape(-1, 8, 8), np.asarray(labels).astype(np.int64)
    test = held_out(y, one_in=_TEST)
    return X[~test], y[~test], X[test], y[test]


def _folder(name: str, data_dir: str | Path | None) -> Path | None:
    """Return the folder that holds the files, or part of them; None when they are to be downloaded."""
    named = os.environ.get(FOLDER_VARIABLE, "") if data_dir is None else data_dir
    if not str(named):
        return None
    root = Path(named)
    for folder in (root / name, root):
        if any(_find(folder, part) for part in PARTS):
            return folder
    if data_dir is None:
        return None
    kind = "holds none of the files of" if root.is_dir() else "is no folder with the files of"
    raise DataFileError(f"`{root}` {kind} {name}: {', '.join(PARTS)} (.gz or not). Pass the folder that has them.")


def _find(folder: Path, part: str) -> Path | None:
    kinds = (folder / f"{part}.gz", folder / part, folder / part.replace("-idx", ".idx"))
    return next((path for path in kinds if path.is_file()), None)


def _file(folder: Path, part: str) -> Path:
    found = _find(folder, part)
    if found is None:
        raise DataFileError(f"`{folder / part}` (.gz or not) is missing. Copy it there, or pass another folder.")
    return found


def _checked(name: str, position: int, path: Path) -> NDArray[np.uint8]:
    data = unpacked(path)
    if name == "mnist":
        kind, expected, found = "unpacked content", _MNIST_CONTENT[position], hashlib.sha256(data).hexdigest()
    else:
        kind, expected = "packed file", _FASHION_PACKED[position]
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise DataFileError(
            f"`{path}` is not {PARTS[position]} of {name}: expected SHA-256 {expected} of its {kind}, got {found}. "
            "Copy or download the original file again."
        )
    return read_idx(data, str(path))


def cache_folder() -> Path:
    """Return the folder for what is downloaded or trained: RELUATLAS_CACHE, or the user's cache."""
    named = os.environ.get(CACHE_VARIABLE, "")
    if named:
        return Path(named)
    import pooch

    return Path(pooch.os_cache("reluatlas"))


def _download(name: str) -> list[Path]:
    import pooch

    folder = cache_folder() / name
    digests = _MNIST_PACKED if name == "mnist" else _FASHION_PACKED
    return [_fetch(pooch, name, f"{part}.gz", digest, folder) for part, digest in zip(PARTS, digests, strict=True)]


def _fetch(pooch, name: str, file: str, digest: str, folder: Path) -> Path:
    target = folder / file
    problems: list[str] = []
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # it would tell of each file on stderr
    try:
        for mirror in _MIRRORS[name]:
            try:
                return Path(pooch.retrieve(mirror + file, known_hash=f"sha256:{digest}", fname=file, path=folder))
            except (OSError, ValueError) as problem:  # no connection, or another content than expected
                told = str(problem).splitlines()[0] if type(problem) is ValueError else type(problem).__name__
                problems.append(f"{mirror}: {told}")
    finally:
        logger.setLevel(level)
    raise DataFileError(
        f"`{target}` (expected SHA-256 {digest}) is not there and cannot be downloaded ({'; '.join(problems)}). "
        f"Download it by hand into a folder, and pass `data_dir=` (--data-dir) or set {FOLDER_VARIABLE}."
    )
