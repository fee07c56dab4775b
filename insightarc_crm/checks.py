"""What is wrong with the settings of a server although each of them is right by itself."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from signals_app.core.fields import EncryptedTextField

ROWS_TRIED = 50
SETTING_OF = {"secret_key": "SECRET_KEY", "field_encryption_key": "FIELD_ENCRYPTION_KEYS"}
"""By the file in DATA_DIR in which a secret stands that was made here."""


@register()
def check_secrets_are_shared(**kwargs: Any) -> list[CheckMessage]:
    """Warn of secrets that this host has made for itself, where the database may have other hosts too."""
    if not settings.GENERATED_SECRETS or connection.vendor == "sqlite":
        return []
    names = " and ".join(SETTING_OF[name] for name in sorted(settings.GENERATED_SECRETS))
    return [
        Warning(
            f"Without {names}, this host has made its own.",
            hint=(
                "Another host on this database could neither read the webhook secrets nor check the links in mails. "
                f"Set {names} to the same value on every host; what this one uses stands in {settings.DATA_DIR}."
            ),
            id="insightarc.W001",
        )
    ]


def readable_secrets() -> tuple[int, int]:
    """Return how many of the newest encrypted values in the database this host's keys decrypt, and how many not."""
    readable = unreadable = 0
    for model, name in _encrypted():
        for pk in model.objects.order_by("-pk").values_list("pk", flat=True)[:ROWS_TRIED]:
            try:
                model.objects.values_list(name).get(pk=pk)
            except ImproperlyConfigured:
                unreadable += 1
            else:
                readable += 1
    return readable, unreadable


def _encrypted() -> list[tuple[Any, str]]:
    return [
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedTextField)
    ]
