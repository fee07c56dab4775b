"""
The web server: Granian, in the way this program needs it.

Run as a module: `python -m insightarc_crm.web_server APPLICATION --host HOST --port PORT --workers N --threads N`.
"""

from __future__ import annotations

import argparse
import signal
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import MPServer

HEAD_MILLISECONDS = 10_000
"""For the head of a request; a sender that is slower holds nothing but its own connection."""
STOP_SECONDS = 10
"""For the requests under way when the server stops."""


class WebServer(MPServer):
    """
    Threads, because a request mostly waits for the database; Granian, because it hands on chunked bodies (`wsgi.py`).

    It may be told to stop any number of times. When its parent is killed, the kernel tells it once a thread of the
    parent; systemd and a supervisor may each tell it. Granian's handler sets an event, an event takes a lock that its
    thread cannot take twice, and a second signal in that moment would wait for itself: the server would stay for ever,
    and keep its port.
    """

    def signal_handler_interrupt(self, *_: Any, **__: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        self.interrupt_signal = True
        self.main_loop_interrupt.set()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a WSGI application.")
    parser.add_argument("application", help="module:name")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True, help="processes")
    parser.add_argument("--threads", type=int, required=True, help="of each process")
    options = parser.parse_args()
    WebServer(
        options.application,
        address=options.host,
        port=options.port,
        interface=Interfaces.WSGI,
        workers=options.workers,
        blocking_threads=options.threads,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_MILLISECONDS),
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_level=LogLevels.error,  # its warning that threads outnumber the processors is meant for busy threads
    ).serve()


if __name__ == "__main__":
    main()
