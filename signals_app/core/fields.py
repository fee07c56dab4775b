"""Model fields that every room may use."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # generic in the stubs only
    """
    Text that stands encrypted in the database, with keys that the database does not hold.

    `FIELD_ENCRYPTION_KEYS` lists the keys: the first encrypts, all decrypt, so a key is rotated by putting
    the new one in front. The ciphertext differs at each save, so the field cannot be filtered or made unique.

    :raises ImproperlyConfigured: on reading a value that no configured key decrypts.
    """

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return text if text is None else _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(text.encode()).decode()

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        if value is None:
            return None
        try:
            return _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                f"{self.model._meta.label}.{self.name} cannot be decrypted: is its key missing from FIELD_ENCRYPTION_KEYS?"
            ) from error
