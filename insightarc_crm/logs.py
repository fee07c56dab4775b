"""
Log lines for machines (LOG_FORMAT=json) and people (line), without bodies, addresses or secrets.

Note [What a log may say]

Shoppers' data reaches a log in the message of an exception: a database names the row that it refused, a parser quotes
what it could not read. So of an exception its type and the way to it are logged, and its message only if it is of a
kind whose message is about machines. What is logged on purpose is a constant text and ids. Over all of it goes one
more net, which takes out whatever looks like an address, a password or a key.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that is being answered in this thread."""
TASK: ContextVar[tuple[str, str]] = ContextVar("task", default=("", ""))
"""Name and id of the task that runs in this thread."""

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
LEFT_OUT = "[message left out]"
_ABOUT_MACHINES = {
    "OSError",
    "amqp.exceptions.AMQPError",
    "django.core.exceptions.ImproperlyConfigured",
    "kombu.exceptions.OperationalError",
    "redis.exceptions.RedisError",
    "sqlite3.Error",  # names tables and columns, never values
}
"""Kinds of exceptions whose messages are about files, sockets, settings, brokers."""
_DATA_EXCEPTION = "22"
"""SQLSTATE class of values that do not fit; its messages quote them."""

_NETS = (
    (
        re.compile(r"(?i)(signature|authorization|cookie)(['\"]?\s*[:=]).*"),
        r"\1\2 [hidden]",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), r"\1 [hidden]"),
    (re.compile(r"://[^\s/@]{1,300}@"), "://[hidden]@"),
    (re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+"), "[e-mail]"),
    (re.compile(r"(?<![\w/])(?=[\w+=-]*\d)[\w+=-]{40,}"), "[hidden]"),
)


def redact(text: str) -> str:
    """Take out of a text whatever looks like an address, a password, a signature or a key."""
    for pattern, instead in _NETS:
        text = pattern.sub(instead, text)
    return text


class LineFormatter(logging.Formatter):
    """One line for people: time, level, logger, message, fields; the way to an exception below it."""

    def format(self, record: logging.LogRecord) -> str:
        said = _fields(record)
        head = f"{said.pop('time')} {said.pop('level')} {said.pop('logger')} {said.pop('message')}"
        way = said.pop("exception", "")
        return " ".join([head, *(f"{name}={value}" for name, value in said.items())]) + (f"\n{way}" if way else "")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_fields(record), ensure_ascii=False)


def present_json_line(name: str, line: str) -> str:
    """Return a line of a child process as it is if it is an object already, else as the message of one."""
    if line.startswith('{"time"'):
        return line
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": time, "level": "INFO", "logger": name, "message": redact(line)}, ensure_ascii=False)


def log_uncaught() -> None:
    """Have exceptions that end a thread or the process logged like others, instead of printed whole."""

    def log(kind: type[BaseException], error: BaseException | None, way: TracebackType | None) -> None:
        exception = error if error is not None else kind()
        logging.getLogger(__name__).critical("Nothing caught an exception.", exc_info=(kind, exception, way))

    sys.excepthook = log
    threading.excepthook = lambda ended: log(ended.exc_type, ended.exc_value, ended.exc_traceback)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    said: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "message": redact(_message(record)),
    }
    task, task_id = TASK.get()
    said |= {name: text for name, text in (("request", REQUEST.get()), ("task", task), ("task_id", task_id)) if text}
    for name, value in vars(record).items():
        if name not in _STANDARD and isinstance(value, str | int | float):
            said[name] = redact(value) if isinstance(value, str) else value
    if record.exc_info and record.exc_info[1] is not None:
        said["exception"] = "".join(_way(record.exc_info[1]))
    return said


def _message(record: logging.LogRecord) -> str:
    """Return the message, without what the exceptions in it say of their data."""
    args = record.args
    if isinstance(args, tuple):
        args = tuple(_brief(arg) if isinstance(arg, BaseException) else arg for arg in args)
    message = str(record.msg) % args if args else str(record.msg)
    error = record.exc_info[1] if record.exc_info else None
    while error is not None:
        for text in (repr(error), str(error)):
            if len(text) > 3:
                message = message.replace(text, _brief(error))
        error = error.__cause__ or error.__context__
    return message


def _way(error: BaseException, *, depth: int = 0) -> Iterator[str]:
    """Yield the lines of a traceback, causes first, in which no exception says more than it may."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and depth < 5:
        yield from _way(earlier, depth=depth + 1)
        yield "\nwhich led to:\n\n"
    yield from traceback.format_tb(error.__traceback__)
    yield _brief(error) + "\n"


def _brief(error: BaseException) -> str:
    """Return the type of an exception, and its message if that is about machines; see Note [What a log may say]."""
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}: {redact(_about_machines(error))}".removeprefix("builtins.")


def _about_machines(error: BaseException) -> str:
    names = {f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.") for kind in type(error).__mro__}
    if names & _ABOUT_MACHINES:
        return str(error)
    if "psycopg.Error" in names:
        return _of_postgresql(error)
    if "django.db.utils.Error" in names:
        return _about_machines(error.__cause__) if error.__cause__ is not None else LEFT_OUT
    return LEFT_OUT


def _of_postgresql(error: Any) -> str:
    """Return the first line of what PostgreSQL says, unless it quotes a value; the further ones show whole rows."""
    if error.sqlstate is None:
        return str(error).partition("\n")[0]  # it could not be asked: host, port, what the network said
    if error.sqlstate.startswith(_DATA_EXCEPTION):
        return f"SQLSTATE {error.sqlstate} {LEFT_OUT}"
    return f"SQLSTATE {error.sqlstate} {error.diag.message_primary}"
