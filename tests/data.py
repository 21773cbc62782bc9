"""Where are the real models and data that some tests need?"""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path | None:
    """Return the folder of models and data, `RELUATLAS_DATA` or else `../shared/data`; None where it is missing."""
    named = os.environ.get("RELUATLAS_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[1].parent / "shared" / "data"
    return folder if folder.is_dir() else None
