"""How is the help of a command laid out? Its options under headings: what is asked, of what, and how it is told."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

_OTHERS = "Options"
_HEADINGS = {
    "Domain": ("box", "through", "margin", "space"),
    "Points": ("data", "at", "target", "layout", "scale", "mean", "std"),
    _OTHERS: (),
    "Limits": ("max_cells", "max_seconds", "resume", "checkpoint", "jobs", "memory", "device"),
    "Result": ("out", "json", "quiet", "help"),
    "Model": ("model_module", "input_shape", "output", "classes", "class_names"),
}
_HEADING_OF = {name: heading for heading, names in _HEADINGS.items() for name in names}


class Grouped(TyperCommand):
    """A command whose help has its options in groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, and the options under their headings."""
        arguments: list[tuple[str, str]] = []
        groups: dict[str, list[tuple[str, str]]] = {heading: [] for heading in _HEADINGS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                arguments.append(record)
            else:
                groups[_HEADING_OF.get(parameter.name or "", _OTHERS)].append(record)
        for heading, records in {"Arguments": arguments, **groups}.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
