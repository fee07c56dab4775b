"""
A mail service to be broken: an SMTP server on loopback that notes every mail it takes, and when.

It may answer slowly, refuse for now (451) or for ever (550), and hang up after it has taken a mail and before it says
so, which is the one thing that leaves a sender not knowing.

Source of the protocol: https://www.rfc-editor.org/rfc/rfc5321
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TextIO

READ_LIMIT = 4 * 1024 * 1024


class Ending(StrEnum):
    """What became of one attempt to hand over a mail."""

    ACCEPTED = "accepted"
    ACCEPTED_UNSAID = "accepted unsaid"
    """Taken, and then the connection was dropped instead of answering."""
    REFUSED_FOR_NOW = "refused for now"
    REFUSED = "refused"
    BROKEN_OFF = "broken off"
    """The sender went away before the mail was complete."""


TAKEN = frozenset({Ending.ACCEPTED, Ending.ACCEPTED_UNSAID})


@dataclass
class Attempt:
    """One mail that was handed over, or was about to be. Times are seconds since 1970."""

    began_at: float
    """When the sender opened the connection, which happens after it committed that the mail may leave."""
    to_email: str = ""
    send_key: str = ""
    message_id: str = ""
    ending: Ending = Ending.BROKEN_OFF
    ended_at: float = 0.0


@dataclass
class Temper:
    """How the service behaves; shares are between 0 and 1 and drawn for each mail."""

    delay_seconds: tuple[float, float] = (0.0, 0.1)
    drops: float = 0.0
    refuses_for_now: float = 0.0
    refuses: float = 0.0


@dataclass
class MailService:
    """The server, in a thread of its own; `temper` may be changed while it runs."""

    port: int
    log_path: Path
    luck: random.Random
    temper: Temper = field(default_factory=Temper)
    attempts: list[Attempt] = field(default_factory=list)
    open_connections: int = 0
    _thread: threading.Thread | None = None
    _is_up: threading.Event = field(default_factory=threading.Event)
    _end: Callable[[], object] = lambda: None
    _log: TextIO | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._log = self.log_path.open("a", encoding="utf-8")
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="mail service", daemon=True)
        self._thread.start()
        if not self._is_up.wait(10):
            raise RuntimeError(f"The mail service could not listen on port {self.port}.")

    def stop(self) -> None:
        if self._thread is not None:
            self._end()
            self._thread.join()
        if self._log is not None:
            self._log.close()

    async def _serve(self) -> None:
        is_over, loop = asyncio.Event(), asyncio.get_running_loop()
        self._end = partial(loop.call_soon_threadsafe, is_over.set)
        async with await asyncio.start_server(self._converse, "127.0.0.1", self.port, limit=READ_LIMIT):
            self._is_up.set()
            await is_over.wait()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attempt = Attempt(began_at=time.time())
        self.open_connections += 1
        try:
            # When the sender is killed, what the attempt says already is what happened.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._say(writer, "220 chaos")
                while line := (await reader.readline()).decode("latin-1").strip():
                    if not await self._answer(line, attempt, reader, writer):
                        break
        finally:
            self.open_connections -= 1
            self._note(attempt)
            writer.close()

    async def _answer(
        self, line: str, attempt: Attempt, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one command and return whether the conversation goes on."""
        match line.split(":")[0].split(" ")[0].upper():
            case "EHLO" | "HELO" | "MAIL" | "RSET" | "NOOP":
                await self._say(writer, "250 OK")
            case "RCPT":
                attempt.to_email = line.partition("<")[2].partition(">")[0]
                await self._say(writer, "250 OK")
            case "DATA":
                await self._say(writer, "354 Go on")
                return await self._take(attempt, reader, writer)
            case "QUIT":
                await self._say(writer, "221 Bye")
                return False
            case _:
                await self._say(writer, "502 Not known here")
        return True

    async def _take(self, attempt: Attempt, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        mail = await reader.readuntil(b"\r\n.\r\n")
        headers = BytesHeaderParser(policy=policy.default).parsebytes(mail)
        attempt.send_key, attempt.message_id = _value(headers, "X-Send-Key"), _value(headers, "Message-ID")
        temper, draw = self.temper, self.luck.random()
        if draw < temper.refuses:
            attempt.ending = Ending.REFUSED
        elif draw < temper.refuses + temper.refuses_for_now:
            attempt.ending = Ending.REFUSED_FOR_NOW
        else:
            # From here on the mail counts as taken, whether or not the sender lives to hear it.
            attempt.ending = Ending.ACCEPTED
        await asyncio.sleep(self.luck.uniform(*temper.delay_seconds))
        if attempt.ending is Ending.ACCEPTED and self.luck.random() < temper.drops:
            attempt.ending = Ending.ACCEPTED_UNSAID
            return False
        await self._say(
            writer, {Ending.REFUSED: "550 Never", Ending.REFUSED_FOR_NOW: "451 Later"}.get(attempt.ending, "250 Taken")
        )
        return True

    async def _say(self, writer: asyncio.StreamWriter, answer: str) -> None:
        writer.write(f"{answer}\r\n".encode())
        await writer.drain()

    def _note(self, attempt: Attempt) -> None:
        attempt.ended_at = time.time()
        self.attempts.append(attempt)
        assert self._log is not None
        self._log.write(json.dumps(asdict(attempt)) + "\n")
        self._log.flush()


def _value(headers: Message, name: str) -> str:
    """Return a header's value in one line; a long one came folded."""
    return " ".join(str(headers[name] or "").split())
