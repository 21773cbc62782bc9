"""How is a network looked at live? `reluatlas view`: a local server, and the browser on it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from reluatlas.cli import console
from reluatlas.cli.domains import Asked
from reluatlas.cli.exit_codes import DONE
from reluatlas.cli.models import Source
from reluatlas.report import words


def view(source: Source, asked: Asked, *, port: int, jobs: int | None, no_browser: bool, quiet: bool) -> int:
    """Serve the live atlas of a model on a plane until Ctrl-C."""
    from reluatlas.atlas.marks import Mark
    from reluatlas.live.guard import Guard
    from reluatlas.live.server import listen, require_installed, serve
    from reluatlas.live.windows import open_windows

    require_installed()
    with listen(port) as listening:
        net = source.load()
        chosen = asked.fit(net, quiet=quiet)
        marks = [Mark(p.label, u) for p, u in zip(chosen.points, chosen.coordinates, strict=True)]
        windows = open_windows(net, chosen.domain, marks, title=f"The cells of {Path(source.model).name}", jobs=jobs)
        guard = Guard(listening.getsockname()[1])
        console.notice(f"{words.network(net)}. Ctrl-C ends it.", quiet=quiet)
        console.result(guard.address)
        console.flush()
        if not no_browser:
            import webbrowser

            webbrowser.open(guard.address)
        with suppress(KeyboardInterrupt):  # the way to end it
            serve(windows, listening, guard)
    return DONE
