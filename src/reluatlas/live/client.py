"""What happens to the requests of one page? One is computed, one waits, and what is no longer wanted is called off."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Protocol

from reluatlas.errors import ReluAtlasError
from reluatlas.live.messages import MessageError, WindowRequest, parsed
from reluatlas.live.windows import Answer, Windows, with_id

SEND_S = 20.0
_LARGE_BYTES = 1 << 20
POLICY, TOO_SLOW, GONE = 1008, 1013, 1001
_ENDED = object()


class Socket(Protocol):
    """What is asked of a connection."""

    async def receive(self) -> Any:
        """Return the next message's text or bytes; None when the page is gone."""

    async def send(self, data: bytes | str) -> None:
        """Send a message; waits while the page does not read."""

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye."""


class Client:
    """One page. `serve` ends when it is gone, or asked for what is no request."""

    def __init__(self, socket: Socket, windows: Windows, executor: Executor) -> None:
        self.socket, self.windows, self.executor = socket, windows, executor
        self._waiting: WindowRequest | None = None
        self._news = asyncio.Event()
        self._stop = threading.Event()  # of the request that is computed now
        self._known: set[tuple[int, int]] = set()  # networks that the page has
        self._is_large = True  # whether the last window held much: then the next one is shown in two steps

    async def serve(self) -> None:
        """Answer the page until it is gone."""
        worker = asyncio.create_task(self._work())
        reader = asyncio.create_task(self._read())
        try:
            await asyncio.wait({worker, reader}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stop.set()
            for task in (worker, reader):
                task.cancel()
            await asyncio.gather(worker, reader, return_exceptions=True)

    async def _read(self) -> None:
        while (text := await self.socket.receive()) is not None:
            try:
                self._waiting = parsed(text)
            except MessageError as problem:
                await self.socket.close(POLICY, str(problem))
                return
            self._stop.set()  # what is computed now is no longer looked at
            self._news.set()

    async def _work(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            asked, self._waiting = self._waiting, None
            if asked is None:
                continue
            self._stop = stop = threading.Event()
            try:
                await self._answer(asked, stop)
            except ReluAtlasError as problem:
                await self._send(json.dumps({"id": asked.id, "error": str(problem)}))
            except TimeoutError:
                await self.socket.close(TOO_SLOW, "the page does not read what it asked for")
                return
            except Exception:  # the page learns nothing of what went wrong inside
                await self._send(json.dumps({"id": asked.id, "error": "this window could not be computed"}))

    async def _answer(self, asked: WindowRequest, stop: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        answers = self.windows.answers(asked, stop, known=self._known, is_coarse_first=self._is_large)
        n_bytes = 0
        while not stop.is_set():
            found = await loop.run_in_executor(self.executor, _next, answers, stop)
            if found is _ENDED or stop.is_set():
                break
            n_bytes = max(n_bytes, len(found.data))
            if found.data:
                await self._send(with_id(found.data, asked.id))
                if found.key is not None:
                    self._known = {key for key in self._known if key[0] != found.key[0]} | {found.key}
            if found.is_last:
                self._is_large = n_bytes > _LARGE_BYTES
                break
        if asked.moving and not stop.is_set():
            await self._send(json.dumps({"id": asked.id, "done": True}))  # the page may ask for the next one

    async def _send(self, data: bytes | str) -> None:
        await asyncio.wait_for(self.socket.send(data), SEND_S)


def _next(answers: Iterator[Answer], stop: threading.Event) -> Any:
    if stop.is_set():
        return _ENDED
    with suppress(StopIteration):
        return next(answers)
    return _ENDED
