"""What does an object look like where it is printed? A line of text, and a small table in a notebook."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from html import escape
from typing import Any

import numpy as np

_WRITTEN = 4  # numbers of an array that are written out
_LONGEST = 160
_ROWS = 20


class Shown:
    """Gives a class a repr of one line and an HTML repr; arrays are told by their type and shape."""

    def __repr__(self) -> str:
        parts = [f"{name}={text_of(value)}" for name, value in parts_of(self)]
        while len(parts) > 1 and len(", ".join(parts)) > _LONGEST:
            parts = [*(parts[:-2] if parts[-1] == "..." else parts[:-1]), "..."]
        return f"{type(self).__name__}({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """Return the repr, and below it what the object holds, for a notebook."""
        rows = [(name, text_of(value)) for name, value in parts_of(self)][:_ROWS]
        body = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(text)}</td></tr>"
            for name, text in rows
        )
        return f"<div><strong>{escape(repr(self))}</strong>{f'<table>{body}</table>' if body else ''}</div>"


def parts_of(thing: Any) -> list[tuple[str, Any]]:
    """Return the public fields of an object that is made of fields, with their values."""
    if not is_dataclass(thing):
        return []
    return [
        (f.name, thing.__dict__.get(f.name, getattr(thing, f.name, None)))
        for f in fields(thing)
        if not f.name.startswith("_")
    ]


def text_of(value: Any) -> str:
    """Return a value in short: an array of many numbers by its type and shape."""
    if isinstance(value, np.ndarray):
        if value.ndim <= 1 and value.size <= _WRITTEN and value.dtype.kind in "fiub":
            return str(value.item()) if value.ndim == 0 else f"[{', '.join(f'{v:.6g}' for v in value.tolist())}]"
        return f"{value.dtype} {value.shape}"
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    if isinstance(value, str | int | np.integer | bool | None.__class__):
        return repr(value) if isinstance(value, str) else str(value)
    if isinstance(value, list | tuple | dict) and (len(value) > _WRITTEN or len(repr(value)) > _LONGEST // 2):
        return f"{type(value).__name__} of {len(value):,}"
    line = " ".join(repr(value).split())
    return line if len(line) <= _LONGEST // 2 else f"{type(value).__name__}"
