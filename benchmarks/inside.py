"""
The side of a measurement that lives in the program: started with its settings, one JSON order a line, one answer each.

It is a process that stays, as a worker does, so that starting up is not part of what is measured.
"""

from __future__ import annotations

import json
import os
import sys

import django


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "insightarc_crm.settings"
    django.setup()
    from benchmarks.orders import ORDERS  # its models need what was just set up

    for line in sys.stdin:
        order = json.loads(line)
        answer = ORDERS[order.pop("do")](**order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
