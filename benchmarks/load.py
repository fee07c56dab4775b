"""
The load generator, a process of its own: keep-alive connections on raw sockets, requests built before the clock starts.

It says "ready" when its requests are built, waits for a line, posts, and prints one JSON line: what came back and how
long each answer took. It costs some 30 µs of processor a request, which matters where it shares the machine.

*Saturation* (no rate given): each connection posts its next request as soon as it has its answer.
*Paced*: request number i is due at i/rate seconds, whatever was answered; the time until its answer is counted from
when it was due, so that waiting for a free connection counts as well ("coordinated omission" does not flatter).
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, islice

from benchmarks import figures, traffic

REQUESTS_BUILT_A_SECOND = 5_000
"""For saturation: more than any server here answers; should one be faster, the rest is built while it runs."""
ANSWER_SECONDS = 30.0
READ_BYTES = 65_536
SECOND = 1_000_000_000


class NoAnswer(Exception):
    """The server did not answer what was sent, or not in HTTP."""


@dataclass(slots=True)
class Connection:
    socket: socket.socket
    due_at: int = 0
    """When the request under way was to be sent, in nanoseconds of `time.perf_counter_ns`."""
    is_busy: bool = False
    received: bytes = b""


@dataclass(slots=True)
class Tally:
    """What came back."""

    statuses: Counter[str] = field(default_factory=Counter)
    nanoseconds: list[int] = field(default_factory=list)

    def as_json(self, *, seconds: float, processor_seconds: float) -> dict[str, object]:
        answered = len(self.nanoseconds)
        ordered = sorted(taken / 1e6 for taken in self.nanoseconds)
        return {
            "answered": answered,
            "seconds": round(seconds, 3),
            "rate": round(answered / seconds, 1) if seconds else 0.0,
            "statuses": dict(self.statuses),
            "p50_ms": round(figures.percentile(ordered, 0.50), 3),
            "p99_ms": round(figures.percentile(ordered, 0.99), 3),
            "max_ms": round(ordered[-1], 3) if ordered else 0.0,
            "generator_us": round(processor_seconds * 1e6 / answered, 1) if answered else 0.0,
        }


class Generator:
    """A number of connections to one server, and the requests that go over them."""

    def __init__(self, port: int, connections: int, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._poll = select.epoll()
        self._by_number: dict[int, Connection] = {}
        self._under_way = 0
        self.tally = Tally()
        for _ in range(connections):
            opened = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._by_number[opened.fileno()] = Connection(opened)
            self._poll.register(opened.fileno(), select.EPOLLIN)

    def saturate(self, *, seconds: float, most: int | None) -> float:
        """Keep every connection busy for that long, or until `most` requests are sent; return the seconds it took."""
        begun = time.perf_counter_ns()
        stop_at = begun + int(seconds * SECOND)
        left = most if most is not None else sys.maxsize
        for connection in list(self._by_number.values())[:left]:
            self._send(connection, time.perf_counter_ns())
            left -= 1
        while self._under_way:
            for connection in self._answered(ANSWER_SECONDS):
                now = time.perf_counter_ns()
                if left > 0 and now < stop_at:
                    self._send(connection, now)
                    left -= 1
        return (time.perf_counter_ns() - begun) / SECOND

    def pace(self, *, seconds: float, rate: float) -> float:
        """Send at an even rate whatever is answered; return the seconds until the last answer."""
        begun = time.perf_counter_ns()
        due = deque(begun + int(number * SECOND / rate) for number in range(int(seconds * rate)))
        idle = list(self._by_number.values())
        while due or self._under_way:
            now = time.perf_counter_ns()
            while due and idle and due[0] <= now:
                self._send(idle.pop(), due.popleft())
            wait = max(0.0, (due[0] - time.perf_counter_ns()) / SECOND) if due and idle else ANSWER_SECONDS
            # epoll waits in whole milliseconds; select waits in microseconds, and for the epoll itself.
            if select.select([self._poll.fileno()], [], [], wait)[0]:
                idle.extend(self._answered(0))
            elif not (due and idle):
                raise NoAnswer(f"No answer within {ANSWER_SECONDS:.0f} s.")
        return (time.perf_counter_ns() - begun) / SECOND

    def _send(self, connection: Connection, due_at: int) -> None:
        connection.due_at, connection.is_busy = due_at, True
        connection.socket.sendall(next(self._requests))
        self._under_way += 1

    def _answered(self, timeout: float) -> list[Connection]:
        """Wait for answers, note those that are complete, and return their connections."""
        ready = self._poll.poll(timeout)
        if not ready and timeout:
            raise NoAnswer(f"No answer within {timeout:.0f} s.")
        free = []
        for number, _ in ready:
            connection = self._by_number[number]
            data = connection.socket.recv(READ_BYTES)
            if not data:
                raise NoAnswer("The server closed a connection.")
            status = self._status_if_complete(connection, data)
            if status:
                if not connection.is_busy:
                    raise NoAnswer("The server answered what was not asked.")
                self.tally.nanoseconds.append(time.perf_counter_ns() - connection.due_at)
                self.tally.statuses[status] += 1
                connection.is_busy = False
                self._under_way -= 1
                free.append(connection)
        return free

    @staticmethod
    def _status_if_complete(connection: Connection, data: bytes) -> str:
        received = connection.received + data if connection.received else data
        if _is_complete(received):
            connection.received = b""
            return received[9:12].decode("ascii")
        connection.received = received
        return ""


def _is_complete(received: bytes) -> bool:
    """Tell whether this is a whole answer: of the length it says, or in chunks up to the empty one."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = received[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        return len(received) >= end + 4 + int(head[at + 17 :].split(b"\r\n", 1)[0])
    if b"\r\ntransfer-encoding: chunked" in head:
        return received.endswith(b"\r\n0\r\n\r\n")
    raise NoAnswer(f"An answer without a length: {received[:200]!r}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Post signed signals and say how that went, as JSON.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--url", required=True, help="the address that the signature covers")
    parser.add_argument("--secret", required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, help="requests a second; without it: as many as are answered")
    parser.add_argument("--first", type=int, default=0, help="number of the first signal: another gives other bytes")
    parser.add_argument("--most", type=int, help="requests, at most")
    parser.add_argument("--shoppers", type=int, default=2_000)
    return parser


def main() -> None:
    options = _parser().parse_args()
    built = (
        traffic.request(
            traffic.body(number, shoppers=options.shoppers), path=options.path, secret=options.secret, url=options.url
        )
        for number in count(options.first)
    )
    expected = int(options.seconds * (options.rate or REQUESTS_BUILT_A_SECOND)) + 1
    ready = deque(islice(built, min(expected, options.most or expected)))

    def requests() -> Iterator[bytes]:
        while ready:
            yield ready.popleft()
        yield from built

    generator = Generator(options.port, options.connections, requests())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    processor = time.process_time()
    if options.rate:
        seconds = generator.pace(seconds=options.seconds, rate=options.rate)
    else:
        seconds = generator.saturate(seconds=options.seconds, most=options.most)
    processor_seconds = time.process_time() - processor
    sys.stdout.write(json.dumps(generator.tally.as_json(seconds=seconds, processor_seconds=processor_seconds)) + "\n")


if __name__ == "__main__":
    main()
