"""How does the browser get at it? A server on 127.0.0.1 that gives one page and one socket, to nobody else."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from reluatlas._version import __version__
from reluatlas.atlas.page import as_script, bundle, policy, render
from reluatlas.errors import ArgumentError, MissingDependencyError
from reluatlas.live.client import POLICY, TOO_SLOW, Client
from reluatlas.live.guard import LOOPBACK, Guard
from reluatlas.live.messages import MOST_BYTES
from reluatlas.live.windows import Windows

if TYPE_CHECKING:
    from starlette.applications import Starlette

MOST_CLIENTS = 32
_WORKERS = 2
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FORBIDDEN = "Not from here. Open the address that `reluatlas view` printed.\n"


def listen(port: int) -> socket.socket:
    """Return a socket on 127.0.0.1; port 0 is any that is free.

    Raises
    ------
    ArgumentError
        When the port is in use, or not allowed.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((LOOPBACK[0], port))
        made.listen(128)
    except (OSError, OverflowError) as problem:
        made.close()
        reason = getattr(problem, "strerror", None) or str(problem)
        raise ArgumentError(
            f"`port={port}` cannot be used: {reason}. Pass another, or 0 for any that is free."
        ) from None
    return made


def page(windows: Windows, guard: Guard, host: str) -> str:
    """Return the page of a live atlas."""
    script, style = bundle()
    told = {
        "live": {"socket": f"ws://{host}/cells", "token": guard.token},
        "low": windows.domain.box.low.tolist(), "high": windows.domain.box.high.tolist(), "version": __version__,
    }  # fmt: skip
    title = windows.title or "A live atlas"
    return render(
        title=title, alt=f"{title}. The cells of what is in the window are computed while you look.",
        policy=policy(script, style, connect=f"ws://{host}"), script=script, style=style, told=as_script(told), data="",
        report="",
    )  # fmt: skip


def application(windows: Windows, guard: Guard) -> Starlette:
    """Return the application: the page at `/`, the socket at `/cells`, and 403 or 404 for everything else.

    Raises
    ------
    MissingDependencyError
        When starlette is not installed.
    """
    require_installed()
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, PlainTextResponse, Response
    from starlette.routing import Route, WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    executor = ThreadPoolExecutor(_WORKERS, thread_name_prefix="reluatlas-live")
    clients: set[Client] = set()

    class Connection:
        """A starlette socket as a client uses it."""

        def __init__(self, raw: WebSocket) -> None:
            self.raw = raw

        async def receive(self) -> Any:
            message = await self.raw.receive()
            if message["type"] == "websocket.disconnect":
                return None
            text = message.get("text")
            return message.get("bytes") if text is None else text

        async def send(self, data: bytes | str) -> None:
            try:
                await (self.raw.send_text(data) if isinstance(data, str) else self.raw.send_bytes(data))
            except (WebSocketDisconnect, RuntimeError):
                return

        async def close(self, code: int, reason: str) -> None:
            try:
                await self.raw.close(code, reason[:120])
            except (WebSocketDisconnect, RuntimeError):
                return

    async def home(request: Request) -> Response:
        host = request.headers.get("host")
        if not guard.is_host(host) or not guard.is_token(request.query_params.get("token")):
            return PlainTextResponse(_FORBIDDEN, 403, headers=_HEADERS)
        return HTMLResponse(page(windows, guard, str(host)), headers=_HEADERS)

    async def cells(raw: WebSocket) -> None:
        host, origin = raw.headers.get("host"), raw.headers.get("origin")
        if not guard.is_origin(origin, host) or not guard.is_token(raw.query_params.get("token")):
            await raw.close(POLICY)  # before it is accepted: 403
            return
        await raw.accept()
        if len(clients) >= MOST_CLIENTS:
            await raw.close(TOO_SLOW, f"there are {MOST_CLIENTS} pages open already")
            return
        client = Client(Connection(raw), windows, executor)
        clients.add(client)
        try:
            await client.serve()
        finally:
            clients.discard(client)

    async def nothing(request: Request, problem: Exception) -> Response:
        is_host = guard.is_host(request.headers.get("host"))
        status = getattr(problem, "status_code", 500) if is_host else 403
        return PlainTextResponse("There is nothing here.\n", status, headers=_HEADERS)

    return Starlette(
        routes=[Route("/", home, methods=["GET"]), WebSocketRoute("/cells", cells)],
        exception_handlers={404: nothing, 405: nothing, 500: nothing},
    )


def require_installed() -> None:
    """Say what is missing before anything is done.

    Raises
    ------
    MissingDependencyError
        When starlette, uvicorn or websockets is not installed.
    """
    if not (find_spec("starlette") and find_spec("uvicorn") and find_spec("websockets")):
        raise MissingDependencyError(
            "`reluatlas view` needs starlette, uvicorn and websockets. Run `pip install 'reluatlas[view]'`."
        )


def serve(windows: Windows, listening: socket.socket, guard: Guard) -> None:
    """Serve until Ctrl-C."""
    require_installed()
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(
            application(windows, guard),
            ws="websockets-sansio",
            ws_max_size=MOST_BYTES,
            log_level="critical",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=0,
            timeout_keep_alive=5,
            h11_max_incomplete_event_size=16 * 1024,
        )
    )
    server.run(sockets=[listening])
