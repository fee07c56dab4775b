"""The web server's own part: it ends however often it is told to. What it serves, tests/functional/test_web_server.py."""

import subprocess
import sys

TOLD_AGAIN_IN_THE_WORST_MOMENT = """
import os, signal, threading
from insightarc_crm.web_server import WebServer

class ToldAgain(threading.Event):
    def set(self):
        with self._cond:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
        super().set()

server = WebServer("no:application")
server.main_loop_interrupt = ToldAgain()
signal.signal(signal.SIGTERM, server.signal_handler_interrupt)
signal.signal(signal.SIGINT, server.signal_handler_interrupt)
os.kill(os.getpid(), signal.SIGTERM)
print(server.interrupt_signal, server.main_loop_interrupt.is_set())
"""


def test_a_second_signal_while_the_first_is_handled_does_not_hold_it_up():
    done = subprocess.run(
        [sys.executable, "-c", TOLD_AGAIN_IN_THE_WORST_MOMENT], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout.split() == ["True", "True"]
