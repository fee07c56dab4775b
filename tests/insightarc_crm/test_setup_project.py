import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from signals_app.projects.models import ApiKey, Project
from signals_app.remarketing.constants import RuleStatus
from signals_app.remarketing.models import RemarketingRule
from signals_app.webhooks.models import WebhookSource

URL = "https://crm.example.com/webhooks/insightarc/{source_id}/?shop=1"


def set_up(*arguments: str) -> dict[str, str | None]:
    printed = StringIO()
    call_command("setup_project", "nordlicht", "--webhook-url", URL, "--json", *arguments, stdout=printed)
    result: dict[str, str | None] = json.loads(printed.getvalue().splitlines()[-1])
    return result


def test_says_everything_in_one_json_line(db: None) -> None:
    result = set_up("--secret", "whsec_test")

    source = WebhookSource.objects.get()
    assert set(result) == {"project", "source_id", "webhook_path", "webhook_url", "secret", "api_key"}
    assert result["project"] == "nordlicht"
    assert result["source_id"] == str(source.id)
    assert result["webhook_path"] == f"/webhooks/insightarc/{source.id}/"
    assert result["webhook_url"] == source.registered_urls[0] == URL.replace("{source_id}", str(source.id))
    assert result["secret"] == "whsec_test"


def test_keeps_the_connection_when_repeated_and_makes_no_second_key(db: None) -> None:
    first = set_up("--secret", "old")

    second = set_up("--secret", "new")

    assert second["source_id"] == first["source_id"]
    assert second["secret"] == "new"
    assert first["api_key"]
    assert second["api_key"] is None
    assert ApiKey.objects.count() == 1


def test_installs_the_five_examples_as_asked(db: None) -> None:
    set_up("--with-examples", "--wait-minutes", "0", "--holdout", "0")
    set_up("--with-examples", "--wait-minutes", "0", "--holdout", "0")

    rules = RemarketingRule.objects.all()
    assert len(rules) == 5
    assert {(rule.status, rule.wait_minutes, rule.holdout_percent) for rule in rules} == {(RuleStatus.ACTIVE, 0, 0)}
    assert not any(rule.respects_quiet_hours for rule in rules)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["UPPER case", "--webhook-url", URL], "SLUG"),
        (["shop", "--webhook-url", "ftp://crm.example.com/"], "--webhook-url"),
        (["shop", "--webhook-url", "https://crm.example.com/a path"], "--webhook-url"),
        (["shop", "--webhook-url", "https://[/"], "--webhook-url"),
        (["shop", "--webhook-url", URL, "--secret", " "], "--secret"),
        (["shop", "--webhook-url", URL, "--secret", "s" * 501], "--secret"),
        (["shop", "--webhook-url", URL, "--wait-minutes", "-1"], "--wait-minutes"),
        (["shop", "--webhook-url", URL, "--holdout", "51"], "--holdout"),
    ],
)
def test_names_what_it_cannot_use(db: None, arguments: list[str], named: str) -> None:
    with pytest.raises(CommandError, match=named):
        call_command("setup_project", *arguments)

    assert not Project.objects.exists()
