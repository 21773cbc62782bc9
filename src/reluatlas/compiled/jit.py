"""How are compiled kernels cached? The `kernel` decorator: numba's `njit`, compiled once per machine.

Numba keys its cache on the file of a function alone, so a kernel would go on using an older version of
another file's kernel. Here the cache folder is named for all that kernels are made of, together: their sources wherever
in the package they stand, what these take from other files, numba and how it compiles.

With `NUMBA_BOUNDSCHECK=1` kernels check every index, are slower by a half or more, and have a folder of their own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config, event

from reluatlas.deadline import pauses

COMPILING = "Compiling kernels, once per machine: about a minute."
_DECORATORS = re.compile(rb"^from reluatlas\.compiled\.jit import ", re.MULTILINE)
_NUMBA = re.compile(rb"^(?:from|import) numba\b", re.MULTILINE)
_IMPORT = re.compile(rb"^from (reluatlas[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)
_config: Any = config
_njit: Any = numba.njit


def kernel_sources(package: Path) -> list[Path]:
    """Return the files of a package that compiled code is made of, in order.

    Those that import the decorators of this file or numba, in any folder; and, from these on, the modules that they
    import whole, or a name in capitals from: constants, which are compiled in.
    """
    files = {_module(source, package): source for source in package.rglob("*.py")}
    texts = {name: source.read_bytes() for name, source in files.items()}
    found = {name for name, text in texts.items() if _DECORATORS.search(text) or _NUMBA.search(text)}
    left = sorted(found)
    while left:
        for home, names in _IMPORT.findall(texts[left.pop()]):
            imported = [word.decode() for word in re.findall(rb"\w+", names)]
            used = {f"{home.decode()}.{name}" for name in imported}
            used |= {home.decode()} if any(name.isupper() for name in imported) else set()
            new = (used & files.keys()) - found
            found |= new
            left += sorted(new)
    return [files[name] for name in sorted(found)]


def _module(source: Path, package: Path) -> str:
    """Return the name under which a file of the package is imported."""
    parts = (package.name, *source.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def folder_name(package: Path) -> str:
    """Return the name of the folder of a package's compiled kernels: another one for other sources or options."""
    options = bool(_config.BOUNDSCHECK), str(_config.OPT), _config.DEBUGINFO_DEFAULT
    digest = hashlib.sha256(f"{numba.__version__} {sys.version_info[:2]} {options}".encode())
    for source in kernel_sources(package):
        digest.update(f"\n{_module(source, package)}\n".encode() + source.read_bytes())
    return f"{_kind()}-{digest.hexdigest()[:16]}"


def _kind() -> str:
    return "checked-kernels" if _config.BOUNDSCHECK else "kernels"


@cache
def cache_folder() -> Path:
    """Return the folder of the compiled kernels: in the package, else in the user's cache."""
    package = Path(__file__).parents[1]
    name = folder_name(package)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reluatlas"
    given = [Path(_config.CACHE_DIR) / "reluatlas"] if _config.CACHE_DIR else []
    for base in (*given, package / "__pycache__", home):
        with suppress(OSError):
            (base / name).mkdir(parents=True, exist_ok=True)
            if os.access(base / name, os.W_OK):
                for old in base.glob(f"{_kind()}-*"):
                    if old.name != name:
                        shutil.rmtree(old, ignore_errors=True)
                return base / name
    return home / name


class _Announcement(event.Listener):
    """Says once that kernels are being compiled, when one is neither in memory nor in the cache; no limit counts it."""

    def __init__(self) -> None:
        self.say: Callable[[], None] | None = lambda: print(COMPILING, file=sys.stderr, flush=True)

    def on_start(self, event: Any) -> None:
        """Say it before the first compilation of one of our kernels."""
        module = event.data["dispatcher"].py_func.__module__ if "dispatcher" in event.data else ""
        if self.say is not None and module.startswith("reluatlas."):
            say, self.say = self.say, None
            say()
        pauses.begin()

    def on_end(self, event: Any) -> None:
        """Let limits run again."""
        pauses.end()


_announcement = _Announcement()
event.register("numba:compile", _announcement)


def announce_compiling(say: Callable[[], None] | None) -> None:
    """Choose what is done before the first kernel of this process is compiled; None: nothing.

    Kernels that were compiled on this machine before are read from the cache, and nothing is said. Without a
    choice, a line is printed on stderr.
    """
    _announcement.say = say


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
