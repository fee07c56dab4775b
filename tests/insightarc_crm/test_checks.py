"""A host whose keys are not those of the others notices it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from insightarc_crm import checks


@pytest.mark.parametrize(
    ("vendor", "generated", "ids"),
    [
        ("postgresql", {"secret_key", "field_encryption_key"}, ["insightarc.W001"]),
        ("postgresql", {"secret_key"}, ["insightarc.W001"]),
        ("postgresql", set(), []),
        ("sqlite", {"secret_key", "field_encryption_key"}, []),
    ],
)
def test_keys_made_here_are_a_warning_where_other_hosts_may_be(settings, monkeypatch, vendor, generated, ids):
    settings.GENERATED_SECRETS = generated
    monkeypatch.setattr(checks, "connection", SimpleNamespace(vendor=vendor))

    assert [warning.id for warning in checks.check_secrets_are_shared()] == ids


@pytest.mark.django_db
class TestSecretsInTheDatabase:
    def test_are_readable_with_the_keys_that_wrote_them(self, source):
        assert checks.readable_secrets() == (1, 0)

    def test_are_readable_while_keys_are_rotated(self, source, settings):
        settings.FIELD_ENCRYPTION_KEYS = ["new", *settings.FIELD_ENCRYPTION_KEYS]

        assert checks.readable_secrets() == (1, 0)

    def test_are_not_with_other_keys(self, source, settings):
        settings.FIELD_ENCRYPTION_KEYS = ["another host's"]

        assert checks.readable_secrets() == (0, 1)
