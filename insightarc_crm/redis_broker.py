"""
Redis as Celery's broker, which may stand still for a while without making a worker deaf.

A worker holds a few messages at a time, and asks for the next when it has acknowledged one. Kombu frees the place of a
message only after Redis has taken the acknowledgement: a Redis that did not answer for some seconds (a host that is
moved, a disk that is full) left every place taken for ever, and the worker alive and idle until somebody started it
anew. Here the place is free in any case. The message itself comes again when its visibility timeout is over, which does
no harm: it is only a wake-up call.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual

SCHEMES = ("redis", "rediss")


class QoS(redis.QoS):
    """The messages that a worker holds."""

    def ack(self, delivery_tag: Any) -> None:
        try:
            super().ack(delivery_tag)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):
    QoS = QoS


class Transport(redis.Transport):
    Channel = Channel


def register() -> None:
    """Let Celery use this for the addresses of Redis."""
    TRANSPORT_ALIASES.update(dict.fromkeys(SCHEMES, f"{__name__}:{Transport.__name__}"))
