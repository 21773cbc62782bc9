"""How does a command end? `main` runs it and turns every outcome into an exit code and at most one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from reluatlas.cli import console
from reluatlas.cli.exit_codes import BAD_INPUT, BUG, DONE, INCOMPLETE, INTERRUPTED

_IN_OPTIONS = {
    "`module=`": "`--model-module`",
    "`module`": "`--model-module`",
    "`input_shape=`": "`--input-shape`",
    "`input_shape`": "`--input-shape`",
    "`points`": "`--through`",
    "`Box`": "`--box`",
    "`X`": "`--data`",
    "`outputs=`": "`--outputs`",
    "`outputs`": "`--outputs`",
    "`outputs=": "`--outputs ",
    "`mean`": "`--mean`",
    "`std`": "`--std`",
    "`dtype=np.float32`": "`--dtype float32`",
    "`out=": "`--out ",
    "`memory=": "`--memory ",
    "`device='cuda'`": "`--device cuda`",
    "`device='cpu'`": "`--device cpu`",
    "`networks=": "`--networks ",
    "`images=`": "`--images`",
    "`target`": "`--target`",
    "`device=`": "`--device`",
    "`device=": "`--device ",
    "`max_seconds=`": "`--max-seconds`",
    "`jobs`": "`--jobs`",
    "`data_dir=`": "`--data-dir`",
    "`checkpoint=": "`--resume ",
    "`port=": "`--port ",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those of the process when None.
    """
    _never_fail_to_print()
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        console.flush()
        return code
    except KeyboardInterrupt:
        return _say("interrupted.", INTERRUPTED)


def _run(arguments: list[str]) -> int:
    import typer

    from reluatlas.cli.app import command
    from reluatlas.cli.through import spread
    from reluatlas.errors import InternalError, ReluAtlasError, TimeLimitError
    from reluatlas.memory import sentence

    # typer brings its own click or uses the one installed, by its version: these are the two roots of bad usage
    usage_error, click_error = cast("tuple[type[Exception], type[Exception]]", typer.BadParameter.__mro__[1:3])
    try:
        return (
            command().main(args=spread(arguments), prog_name="reluatlas", standalone_mode=False, obj=arguments) or DONE
        )
    except TimeLimitError as problem:
        return _say(_in_options(str(problem)), INCOMPLETE)
    except ReluAtlasError as problem:
        return _say(_in_options(str(problem)), BUG if isinstance(problem, InternalError) else BAD_INPUT)
    except MemoryError as problem:
        return _say(_in_options(sentence(problem)), BAD_INPUT)
    except click_error as problem:
        help_of = getattr(getattr(problem, "ctx", None), "command_path", "") or "reluatlas"
        text = problem.format_message().rstrip(".")  # type: ignore[attr-defined]
        text = _with_points_named(text, getattr(problem, "ctx", None))
        text = text if text.endswith("?") else f"{text}."
        return _say(f"{text} See `{help_of} --help`." if isinstance(problem, usage_error) else text, BAD_INPUT)
    except typer.Abort:
        return _say("interrupted.", INTERRUPTED)


def _with_points_named(text: str, context: Any) -> str:
    """Return the complaint about what stands alone after the model with the option that it was meant for."""
    found = re.match(r"Got unexpected extra argument\S* \((.+)\)$", text)
    parameters = getattr(getattr(context, "command", None), "params", ())
    options = {name for parameter in parameters for name in parameter.opts}
    for option in ("--data", "--through"):
        if found and option in options:
            return f"`{found[1]}` stands alone; points come after `{option}`: `{option} {found[1]}`"
    return text


def _in_options(text: str) -> str:
    """Return an error of the library with its arguments named as the options that they came from."""
    for argument, option in _IN_OPTIONS.items():
        text = text.replace(argument, option)
    return text


def _say(text: str, code: int) -> int:
    with suppress(OSError, ValueError):
        print(f"reluatlas: {console.one_line(text)}", file=sys.stderr)
    return code


def _never_fail_to_print() -> None:
    """Let streams that cannot hold a character show a stand-in for it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
