"""How are compiled kernels cached? The `kernel` decorator: numba's `njit`, compiled once per machine.

Numba keys its cache on the file of a function alone, so a kernel would go on using an older version of
another file's kernel. Here the cache folder is named for the sources of all kernels together.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config

_FOLDERS = ("geometry", "cells")
_config: Any = config
_njit: Any = numba.njit


@cache
def cache_folder() -> Path:
    """Return the folder of the compiled kernels: in the package, else in the user's cache."""
    package = Path(__file__).parent
    digest = hashlib.sha256(f"{numba.__version__} {sys.version_info[:2]}".encode())
    for folder in _FOLDERS:
        for source in sorted((package / folder).glob("*.py")):
            digest.update(source.read_bytes())
    name = f"kernels-{digest.hexdigest()[:16]}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reluatlas"
    given = [Path(_config.CACHE_DIR) / "reluatlas"] if _config.CACHE_DIR else []
    for base in (*given, package / "__pycache__", home):
        with suppress(OSError):
            (base / name).mkdir(parents=True, exist_ok=True)
            if os.access(base / name, os.W_OK):
                for old in base.glob("kernels-*"):
                    if old.name != name:
                        shutil.rmtree(old, ignore_errors=True)
                return base / name
    return home / name


def is_compiled() -> bool:
    """Return whether some kernels have been compiled on this machine before."""
    return any(cache_folder().rglob("*.nbc"))


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function that Python calls, cached in `cache_folder()`.

    Kernels allocate nothing, so numba's reference counts are left out: they are atomic, and cost more
    than the work where arrays travel in named tuples.
    """

    def compile_(f: Callable[..., Any]) -> Any:
        before = _config.CACHE_DIR
        _config.CACHE_DIR = str(cache_folder())
        try:
            return _njit(nogil=True, cache=True, _nrt=False, **options)(f)
        finally:
            _config.CACHE_DIR = before

    return compile_ if function is None else compile_(function)


def inner(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function that only kernels call: as `kernel`, without the wrapper for Python."""
    return kernel(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)
