"""Everything replayed, twice, while automations run and a mail was sent: nothing is counted, started or mailed again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Model
from django.forms.models import model_to_dict

from signals_app.customers.models import Customer, Identifier
from signals_app.emails.models import EmailMessage
from signals_app.facts.models import Fact
from signals_app.projects.models import Project
from signals_app.remarketing.constants import Reason
from signals_app.remarketing.models import RemarketingRule, RuleCounter, RuleMatch
from signals_app.shopper_signals.models import IntentProfile, Interest, ShopperSignal
from signals_app.webhooks import services
from signals_app.webhooks.constants import ReplayScope
from signals_app.webhooks.models import InboxItem, WebhookDelivery
from signals_app.webhooks.services import Selection
from tests.remarketing.conftest import NOON, allow_mail, rules, templates, visit

__all__ = ["allow_mail", "rules", "templates", "visit"]

WAIT = timedelta(minutes=45)
DAY = timedelta(days=1)
LEAVING = "Leaving with interest"
KEPT: tuple[type[Model], ...] = (
    ShopperSignal, Customer, Identifier, IntentProfile, Interest, RuleMatch, RuleCounter, EmailMessage, WebhookDelivery, Fact,
)  # fmt: skip


def everything() -> dict[str, list[dict[str, Any]]]:
    """Return all rows that a signal leaves behind, with what stands in them."""
    return {
        model.__name__: [model_to_dict(row) | {"pk": row.pk} for row in model._default_manager.order_by("pk")]
        for model in KEPT
    }


def replay_by_run(project: Project, now: Any) -> None:
    selection = Selection(scope=ReplayScope.EVERYTHING, received_until=now)
    assert services.start_replays(project=project, selection=selection, started_by="ada", now=now)
    while services.continue_replay(now=now).handed_over:
        pass


def replay_by_command(project: Project, now: Any) -> None:
    call_command("replay_deliveries", "--all")
    InboxItem.objects.update(due_at=now)


@pytest.fixture
def leaving(rules: dict[str, RemarketingRule]) -> RemarketingRule:
    """The first example, among the others, which are active too."""
    return next(rule for name, rule in rules.items() if name.lower().startswith("leaving"))


@pytest.mark.parametrize("replay", [replay_by_run, replay_by_command])
def test_everything_replayed_twice_changes_nothing(
    replay: Callable[..., None],
    project: Project,
    leaving: RemarketingRule,
    allow_mail: Any,
    visit: Any,
    post_signal: Any,
    run_due: Any,
    mailbox: Any,
) -> None:
    allow_mail()
    visit()
    post_signal(b'{"broken": ', at=NOON)
    run_due(NOON)
    run_due(NOON + WAIT)
    before, mails = everything(), len(mailbox())

    for hours in (1, 2):
        replay(project, NOON + timedelta(hours=hours))
        assert InboxItem.objects.count() == 4
        run_due(NOON + timedelta(hours=hours))
        run_due(NOON + timedelta(hours=hours) + WAIT)

    assert mails == 1
    assert len(mailbox()) == 1
    assert everything() == before
    assert InboxItem.objects.count() == 1  # what cannot be read


def test_replayed_while_the_mail_still_waits_sends_it_once(
    project: Project, leaving: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
) -> None:
    allow_mail()
    visit()
    run_due(NOON)
    planned = everything()["RuleMatch"]
    for _ in range(2):
        replay_by_run(project, NOON + timedelta(minutes=5))
        run_due(NOON + timedelta(minutes=5))

    assert everything()["RuleMatch"] == planned
    run_due(NOON + WAIT)
    replay_by_run(project, NOON + WAIT)
    run_due(NOON + WAIT)
    assert len(mailbox()) == 1


def test_a_week_old_signal_processed_at_last_is_in_its_place_and_mails_nobody(
    project: Project, leaving: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
) -> None:
    allow_mail(now=NOON - 8 * DAY)
    # A trigger that does not ask how warm the interest is still, so that nothing but its age holds it back.
    RemarketingRule.objects.filter(pk=leaving.pk).update(
        trigger={"all": [{"field": "drop_proba", "op": "gte", "value": 0.8}]}
    )
    came = visit(NOON - 7 * DAY)
    # As if each had failed until somebody mended the cause today.
    InboxItem.objects.update(state="QUARANTINED", attempts=5, error="ValueError: mended today")

    for _ in range(2):
        replay_by_run(project, NOON)
        for later in (timedelta(0), WAIT, DAY):
            run_due(NOON + later)

    assert ShopperSignal.objects.latest("received_at").received_at == came
    assert IntentProfile.objects.get().last_signal_at == came
    assert Customer.objects.get().last_seen_at == came
    assert mailbox() == []
    assert not EmailMessage.objects.exists()
    assert RuleCounter.objects.filter(rule=leaving, reason=Reason.SKIPPED_TOO_LATE).get().count == 3
