"""How is a file written so that it is whole or not there? Under a temporary name beside it, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield the path to write to, with the target's ending; it becomes the target when the block ends well."""
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.tmp{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(target: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that a broken one is never left behind."""
    with whole_file(target) as temporary:
        temporary.write_bytes(content)
