"""The embedded broker as kombu and Celery see it."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import base, virtual

from insightarc_crm.embedded_broker.ownership import Owner
from insightarc_crm.embedded_broker.store import Binding, TakenMessage, store_at

FORGET_DEAD_OWNERS_EVERY_SECONDS = 2.0
DEFAULT_POLLING_INTERVAL_SECONDS = 0.1


class QoS(virtual.QoS):
    """Acknowledging deletes the message's row, refusing with `requeue` frees it."""

    channel: Channel

    def ack(self, delivery_tag: str) -> None:
        self.channel.acknowledge(delivery_tag)
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if requeue:
            self.channel.release(delivery_tag)
        else:
            self.channel.acknowledge(delivery_tag)
        super().ack(delivery_tag)


class Channel(virtual.Channel):
    """A channel whose queues and bindings live in the store, so that all processes share them."""

    QoS = QoS
    supports_fanout = True

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.store = store_at(Path(connection.client.transport_options["path"]))
        self._owner: Owner | None = None
        self._unacknowledged_queues: set[str] = set()
        self._next_look_for_dead = 0.0

    @property
    def owner(self) -> str:
        """The name under which this channel holds messages; made on first use, since publishers need none."""
        if self._owner is None:
            self._owner = Owner(self.store.owners)
        return self._owner.name

    def acknowledge(self, delivery_tag: str) -> None:
        if self._owner is not None:  # a task that outlives its channel: its message is waiting again already
            self.store.acknowledge(int(delivery_tag), self._owner.name)

    def release(self, delivery_tag: str) -> None:
        if self._owner is not None:
            self.store.release(int(delivery_tag), self._owner.name)

    def close(self) -> None:
        owner = self._owner
        try:
            super().close()
            if owner is not None:
                self.store.forget_owner(owner.name)
        finally:
            self._owner = None
            if owner is not None:
                owner.close()

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        if no_ack:
            self._unacknowledged_queues.add(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def basic_get(self, queue: str, no_ack: bool = False, **kwargs: Any) -> Any:
        message = super().basic_get(queue, no_ack=no_ack, **kwargs)
        if message is not None and message.delivery_tag is not None and no_ack:
            self.acknowledge(message.delivery_tag)
        return message

    def get_table(self, exchange: str) -> list[Binding]:
        """
        Return the bindings of all processes.

        What this process bound itself is added, so that it still finds its queues after the file was removed.
        """
        declared = (self.state.exchanges or {}).get(exchange, {}).get("table", [])
        own = [(key or "", pattern or "", queue) for key, pattern, queue in declared]
        return list({*own, *self.store.bindings(exchange)})

    def _new_queue(self, queue: str, auto_delete: bool = False, exclusive: bool = False, **kwargs: Any) -> None:
        if auto_delete or exclusive:
            self.store.make_private(queue, self.owner)

    def _queue_bind(self, exchange: str, routing_key: str | None, pattern: str | None, queue: str) -> None:
        self.store.bind(exchange, routing_key or "", pattern or "", queue)

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        self.store.put(queue, json.dumps(message), self._get_message_priority(message))

    def _put_fanout(self, exchange: str, message: dict[str, Any], routing_key: str, **kwargs: Any) -> None:
        for queue in {queue for _, _, queue in self.get_table(exchange)}:
            self._put(queue, message)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        self._forget_dead_owners_now_and_then()
        taken = self.store.take(queue, self.owner)
        if taken is None:
            raise Empty
        if queue in self._unacknowledged_queues:
            self.store.acknowledge(taken.number, self.owner)
        return payload_of(taken)

    def _forget_dead_owners_now_and_then(self) -> None:
        if time.monotonic() >= self._next_look_for_dead:
            self._next_look_for_dead = time.monotonic() + FORGET_DEAD_OWNERS_EVERY_SECONDS
            self.store.forget_dead_owners(living={self.owner})

    def _restore(self, message: Any) -> None:
        self.release(message.delivery_tag)

    def _size(self, queue: str) -> int:
        return self.store.size(queue)

    def _purge(self, queue: str) -> int:
        return self.store.purge(queue)

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        self.store.delete_queue(queue)


def payload_of(taken: TakenMessage) -> dict[str, Any]:
    """Return the message as it was published, its delivery tag replaced by the number of its row."""
    payload: dict[str, Any] = json.loads(taken.body)
    properties = payload["properties"]
    properties["delivery_tag"] = str(taken.number)
    properties.setdefault("delivery_info", {})["redelivered"] = taken.is_redelivered
    return payload


class Transport(virtual.Transport):
    """`embedded://`; needs the transport option `path`."""

    Channel = Channel
    driver_type = "embedded"
    driver_name = "sqlite3"
    polling_interval = DEFAULT_POLLING_INTERVAL_SECONDS
    # Celery answers these by reconnecting, and so waits until a full disk has room again.
    connection_errors = (*base.Transport.connection_errors, sqlite3.Error)
    recoverable_connection_errors = connection_errors
    implements = virtual.Transport.implements.extend(exchange_type=frozenset({"direct", "topic", "fanout"}))

    @property
    def default_connection_params(self) -> dict[str, Any]:
        return {}  # a file has no host, and kombu warns when it has to fill one in

    def driver_version(self) -> str:
        return sqlite3.sqlite_version
