"""Mail services on the loopback interface that accept, refuse, hang and hang up as a test tells them."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class _Service:
    """A server in a thread; `script` is what it does with the next mails, then it accepts."""

    server: socketserver.BaseServer

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.accepted: list[Any] = []
        self.on_request: Callable[[], None] = lambda: None

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])  # type: ignore[index]

    def next_action(self) -> Any:
        self.on_request()
        return self.script.pop(0) if self.script else "accept"

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class SmtpService(_Service):
    """Actions: "accept", "drop" (takes the mail, then hangs up without a word), "hang", or {"RCPT": "550 no"}."""

    def __init__(self) -> None:
        super().__init__()
        service = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

            def handle(self) -> None:
                action = service.next_action()
                answers = action if isinstance(action, dict) else {}
                self.say(answers.get("HELO", "220 test"))
                recipient = ""
                while line := self.rfile.readline().decode().strip():
                    verb = line.partition(" ")[0].upper()
                    if verb == "RCPT":
                        recipient = line.partition("<")[2].partition(">")[0]
                    if verb == "DATA" and "DATA" not in answers:
                        self.say("354 go on")
                        body = self.read_mail()
                        if action in ("drop", "hang"):
                            service.accepted.append((recipient, body))
                            time.sleep(1.5 if action == "hang" else 0)
                            return
                        if "END" not in answers:
                            service.accepted.append((recipient, body))
                        self.say(answers.get("END", "250 accepted"))
                    else:
                        self.say(answers.get(verb, "221 bye" if verb == "QUIT" else "250 ok"))
                    if verb == "QUIT":
                        return

            def read_mail(self) -> str:
                lines = []
                while (line := self.rfile.readline().decode()) not in (".\r\n", ""):
                    lines.append(line)
                return "".join(lines)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)


class HttpService(_Service):
    """Actions: "accept", "drop", "hang", or (status, headers, body)."""

    def __init__(self) -> None:
        super().__init__()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                action = service.next_action()
                if action in ("drop", "hang"):
                    service.accepted.append(body)
                    time.sleep(0.8 if action == "hang" else 0)
                    self.close_connection = True
                    return
                status, headers, text = action if isinstance(action, tuple) else (200, {}, ACCEPTED)
                if action == "accept":
                    service.accepted.append(body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


ACCEPTED = json.dumps({"ErrorCode": 0, "Message": "OK", "MessageID": "esp-1", "To": "anna@example.com"})
REFUSED = json.dumps(
    {
        "ErrorCode": 406,
        "Message": "Found inactive addresses: anna@example.com. Inactive recipients are ones that have bounced.",
    }
)
