"""
A Celery broker in one SQLite file, so that a single machine needs no server.

`store` holds the messages, `ownership` tells who died with messages in hand, `transport` gives both to kombu.
`CELERY_BROKER_URL=embedded://` selects it, `CELERY_BROKER_TRANSPORT_OPTIONS["path"]` says where the file is.
The file has to be on a local disk: SQLite's write-ahead log and `flock` both need one.
"""

from kombu.transport import TRANSPORT_ALIASES

ALIAS = "embedded"


def register() -> None:
    """Make `embedded://` known to kombu."""
    TRANSPORT_ALIASES[ALIAS] = "insightarc_crm.embedded_broker.transport:Transport"
