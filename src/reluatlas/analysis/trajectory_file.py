"""How is a trajectory kept? One `.npz` file without pickle, with a format version, written apart and renamed."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from reluatlas.analysis.trajectory import Trajectory
from reluatlas.domain import Box, Slice
from reluatlas.errors import ReluAtlasError, ResultFileError
from reluatlas.writing import whole_file

FORMAT = "reluatlas trajectory"
VERSION = 1


def save_trajectory(trajectory: Trajectory, path: str | os.PathLike[str]) -> None:
    """Write a trajectory; the file appears only when it is whole."""
    target = Path(path)
    domain = trajectory.domain
    origin, basis = domain.frame()
    header = {
        "format": FORMAT,
        "version": VERSION,
        "sizes": list(trajectory.sizes),
        "domain": "slice" if isinstance(domain, Slice) else "box",
        "info": dict(trajectory.info),
    }
    parts: dict[str, Any] = {
        "header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8),
        "weights": trajectory.weights,
        "steps": trajectory.steps,
        "low": domain.box.low,
        "high": domain.box.high,
    }
    if isinstance(domain, Slice):
        parts |= {"origin": origin, "basis": basis}
    if trajectory.X is not None and trajectory.y is not None:
        parts |= {"X": trajectory.X, "y": trajectory.y}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **parts)
    write_whole(target, buffer.getvalue())


def write_whole(target: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that a broken one is never left behind."""
    with whole_file(target) as temporary:
        temporary.write_bytes(content)


def load_trajectory(path: str | os.PathLike[str]) -> Trajectory:
    """Return a saved trajectory.

    Raises
    ------
    ResultFileError
        When the file is missing, truncated, of another version, or not a trajectory.
    """
    where = Path(path)
    try:
        with np.load(io.BytesIO(where.read_bytes()), allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes().decode())
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise ResultFileError(f"`{where.name}` is not a trajectory of reluatlas.")
            if header.get("version") != VERSION:
                raise ResultFileError(
                    f"`{where.name}` has format version {header.get('version')!r}; this reluatlas reads version "
                    f"{VERSION}. Train it again, or read it with the version that wrote it."
                )
            parts = {name: archive[name] for name in archive.files if name != "header"}
        box = Box(parts["low"], parts["high"])
        domain = Slice(parts["origin"], parts["basis"], box=box) if header["domain"] == "slice" else box
        return Trajectory(
            header["sizes"],
            parts["weights"],
            domain=domain,
            steps=parts["steps"],
            X=parts.get("X"),
            y=parts.get("y"),
            info=header["info"],
        )
    except ResultFileError:
        raise
    except FileNotFoundError:
        raise ResultFileError(f"`{where.name}` does not exist. Pass the path of a saved trajectory.") from None
    except (
        OSError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ) as problem:
        reason = str(problem) if isinstance(problem, ReluAtlasError) else "it is truncated or not a trajectory"
        raise ResultFileError(f"`{where.name}` cannot be read: {reason.rstrip('.')}. Save it again.") from None
