"""How is a network looked at live? `reluatlas view`: a local server, and the browser on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from reluatlas.cli import console
from reluatlas.cli.domains import Asked
from reluatlas.cli.exit_codes import DONE
from reluatlas.cli.models import Source
from reluatlas.cli.points import picture_sides, read_files
from reluatlas.report import words


def view(
    source: Source,
    asked: Asked,
    *,
    data: Sequence[str],
    image: str | None,
    port: int,
    jobs: int | None,
    no_browser: bool,
    quiet: bool,
) -> int:
    """Serve the live atlas of a model on a plane until Ctrl-C."""
    from reluatlas.atlas.marks import Mark
    from reluatlas.live.guard import Guard
    from reluatlas.live.server import listen, require_installed, serve
    from reluatlas.live.windows import open_windows

    require_installed()
    shape = picture_sides(image)
    with listen(port) as listening:
        net = source.load()
        chosen = asked.fit(net, quiet=quiet)
        points = [*chosen.points]
        if data:
            points += read_files(data, net.input_shape, "--data", units=asked.units, quiet=quiet)
        windows = open_windows(
            net,
            chosen.domain,
            [Mark(p.label, u) for p, u in zip(chosen.points, chosen.coordinates, strict=True)],
            title=f"The cells of {Path(source.model).name}",
            inputs=np.stack([p.x.reshape(-1) for p in points]) if chosen.points else None,
            labels=[p.label for p in points],
            margin=asked.margin,
            image=shape,
            jobs=jobs,
        )
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
