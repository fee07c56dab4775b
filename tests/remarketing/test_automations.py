"""From the signed request to the mail, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from signals_app.customers import services as customer_services
from signals_app.customers.models import Customer
from signals_app.emails import services as email_services
from signals_app.emails.constants import MessageState
from signals_app.emails.models import EmailMessage
from signals_app.projects.models import Project
from signals_app.remarketing import arms, services
from signals_app.remarketing.constants import Arm, MatchState, Reason, RuleAction
from signals_app.remarketing.models import RemarketingRule, RuleCounter, RuleMatch, SendPolicy
from tests.remarketing.conftest import NOON

Rules = dict[str, RemarketingRule]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WAIT = 45 * MINUTE


def only_match(rule: RemarketingRule) -> RuleMatch:
    return RuleMatch.objects.get(rule=rule)


def counted(rule: RemarketingRule) -> dict[str, int]:
    totals: dict[str, int] = {}
    for counter in RuleCounter.objects.filter(rule=rule):
        totals[counter.reason] = totals.get(counter.reason, 0) + counter.count
    return totals


def closed_gate(match: RuleMatch) -> dict[str, Any]:
    return next(gate for gate in match.gates if not gate["passed"])


def order(project: Project, at: datetime, *, number: str = "1001", **changes: Any) -> None:
    customer_services.record_order(
        **{
            "project": project,
            "identifiers": {"email": "anna@example.com"},
            "order_id": number,
            "total": Decimal("59.90"),
            "currency": "EUR",
            "placed_at": at,
            "now": at,
            **changes,
        }
    )


class TestLeavingWithInterest:
    @pytest.fixture
    def rule(self, rules: Rules) -> RemarketingRule:
        return rules["Leaving with interest"]

    def test_mails_once_after_the_wait(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Callable[[], list[Any]]
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)

        run_due(NOON + WAIT - MINUTE)
        assert mailbox() == []
        run_due(NOON + WAIT)
        run_due(NOON + 2 * HOUR)

        assert [mail.to_email for mail in mailbox()] == ["anna@example.com"]
        match = only_match(rule)
        assert (match.state, match.reason) == (MatchState.QUEUED, Reason.MATCHED)
        assert match.message is not None
        assert match.message.state == MessageState.SENT
        assert match.message.context["product_keys"] == ["/products/merino-base-layer", "/products/ridge-tent-2"]
        assert match.values["intent_score"] >= 60

    def test_does_not_mail_without_consent_and_says_so(
        self, rule: RemarketingRule, visit: Any, run_due: Any, mailbox: Callable[[], list[Any]], shopper: Any
    ) -> None:
        visit()
        run_due(NOON)

        run_due(NOON + WAIT)

        assert mailbox() == []
        match = only_match(rule)
        assert (match.state, match.reason) == (MatchState.SKIPPED, Reason.SKIPPED_NO_CONSENT)
        assert closed_gate(match) == {"gate": "consent", "passed": False, "detail": "never asked"}
        titles = [entry.title for entry in customer_services.timeline(customer=shopper())]
        assert "Automation “Leaving with interest”: skipped, no consent" in titles

    def test_mails_whoever_agrees_while_it_waits(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Callable[[], list[Any]]
    ) -> None:
        visit()
        run_due(NOON)
        allow_mail()

        run_due(NOON + WAIT)

        assert len(mailbox()) == 1

    def test_mails_whoever_becomes_known_while_it_waits(
        self,
        project: Project,
        rule: RemarketingRule,
        allow_mail: Any,
        visit: Any,
        run_due: Any,
        mailbox: Callable[[], list[Any]],
    ) -> None:
        visit(email=None, user_id=None, anonymous_id="browser-7")
        run_due(NOON)
        allow_mail()
        customer_services.identify(
            project=project,
            identifiers={"anonymous_id": "browser-7", "email": "anna@example.com"},
            now=NOON + 10 * MINUTE,
        )

        run_due(NOON + WAIT)

        assert [mail.to_email for mail in mailbox()] == ["anna@example.com"]

    def test_counts_what_it_cannot_tie_to_a_shopper(
        self, rule: RemarketingRule, post_signal: Any, example_body: Any, run_due: Any
    ) -> None:
        rule.trigger = {"field": "drop_proba", "op": "gte", "value": 0.8}
        services.save_rule(rule=rule)
        post_signal(example_body(email=None, user_id=None), at=NOON)

        run_due(NOON)

        assert counted(rule) == {Reason.SKIPPED_UNKNOWN_SHOPPER: 1}
        assert not RuleMatch.objects.exists()

    def test_starts_the_wait_again_on_any_new_signal(
        self,
        rule: RemarketingRule,
        allow_mail: Any,
        visit: Any,
        post_signal: Any,
        example_body: Any,
        run_due: Any,
        mailbox: Any,
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)
        last = NOON + 40 * MINUTE
        post_signal(example_body(drop_proba=0.1, num_events=30), at=last)
        run_due(last)

        run_due(last + WAIT - MINUTE)
        assert mailbox() == []
        match = only_match(rule)
        assert match.due_at == last + WAIT
        assert match.values["drop_proba"] == 0.97

        run_due(last + WAIT)
        assert len(mailbox()) == 1

    def test_a_new_signal_that_holds_brings_the_values_up_to_date(
        self, rule: RemarketingRule, visit: Any, post_signal: Any, example_body: Any, run_due: Any
    ) -> None:
        visit()
        run_due(NOON)
        post_signal(example_body(drop_proba=0.88, num_events=31), at=NOON + MINUTE)

        run_due(NOON + MINUTE)

        match = only_match(rule)
        assert (match.values["drop_proba"], match.values["num_events"]) == (0.88, 31)
        assert match.signal is not None
        assert match.signal.num_events == 31

    def test_the_same_visit_replayed_mails_nobody_again(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)
        run_due(NOON + WAIT)

        for hours in (2, 30, 50):
            visit(NOON + hours * HOUR)
            run_due(NOON + hours * HOUR)
            run_due(NOON + hours * HOUR + WAIT)

        assert len(mailbox()) == 1
        assert counted(rule)[Reason.SKIPPED_REENTRY] == 3 * 3

    def test_may_mail_again_after_the_reentry_time(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        for days in (0, 13, 15):
            visit(NOON + days * DAY)
            run_due(NOON + days * DAY)
            run_due(NOON + days * DAY + WAIT)

        assert len(mailbox()) == 2

    def test_lets_go_of_whoever_buys_while_it_waits(
        self, project: Project, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)
        order(project, NOON + 10 * MINUTE)

        run_due(NOON + 11 * MINUTE)

        match = only_match(rule)
        assert (match.state, match.reason) == (MatchState.SKIPPED, Reason.SKIPPED_ORDERED)
        run_due(NOON + WAIT)
        assert mailbox() == []

    def test_does_not_start_for_whoever_bought_this_week(
        self, project: Project, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any
    ) -> None:
        allow_mail()
        order(project, NOON - 6 * DAY)
        visit()

        run_due(NOON)

        assert not RuleMatch.objects.filter(rule=rule).exists()
        assert counted(rule)[Reason.SKIPPED_ORDERED] >= 1

    def test_waits_for_the_morning_in_the_quiet_hours(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        evening = NOON + 8 * HOUR + 30 * MINUTE  # 20:30 in Berlin
        visit(evening)
        run_due(evening)
        morning = NOON + 20 * HOUR  # 8:00 in Berlin
        assert only_match(rule).due_at == morning

        run_due(evening + WAIT)
        run_due(morning - MINUTE)
        assert mailbox() == []
        run_due(morning)
        assert len(mailbox()) == 1

    def test_keeps_the_quiet_hours_of_the_shoppers_own_clock(
        self, project: Project, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        customer_services.identify(
            project=project,
            identifiers={"email": "anna@example.com"},
            time_zone="America/New_York",
            now=NOON - DAY,
        )
        visit()  # 6:00 in New York
        run_due(NOON)

        run_due(NOON + WAIT)
        assert mailbox() == []
        run_due(NOON + 2 * HOUR)
        assert len(mailbox()) == 1

    def test_quiet_hours_that_were_set_meanwhile_move_the_match_on(
        self, project: Project, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)
        SendPolicy.objects.create(project=project, quiet_from_hour=12, quiet_until_hour=15)

        run_due(NOON + WAIT)

        match = only_match(rule)
        assert (match.state, match.reason) == (MatchState.PLANNED, Reason.POSTPONED_QUIET_HOURS)
        assert match.due_at == NOON + 3 * HOUR
        run_due(NOON + 3 * HOUR)
        assert len(mailbox()) == 1

    def test_gives_up_after_a_long_standstill(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)

        run_due(NOON + 25 * HOUR)

        match = only_match(rule)
        assert (match.state, match.reason) == (MatchState.EXPIRED, Reason.SKIPPED_TOO_LATE)
        assert mailbox() == []

    def test_the_control_group_gets_no_mail(
        self,
        project: Project,
        templates: Any,
        rule: RemarketingRule,
        allow_mail: Any,
        visit: Any,
        run_due: Any,
        mailbox: Any,
    ) -> None:
        customer = allow_mail()
        rule_id = self.rule_that_holds_out(project, customer)
        services.archive(rule=rule)
        twin = RemarketingRule(
            id=rule_id, project=project, name="Twin", trigger=rule.trigger, holdout_percent=10, version=1
        )
        services.save_rule(rule=twin)
        twin.variants.create(template=templates["leaving_with_interest"])
        services.activate(rule=twin)
        visit()
        run_due(NOON)

        run_due(NOON + WAIT)

        match = only_match(twin)
        assert (match.state, match.reason, match.arm) == (MatchState.SKIPPED, Reason.SKIPPED_HOLDOUT, Arm.HOLDOUT)
        assert mailbox() == []
        visit(NOON + DAY)
        run_due(NOON + DAY)
        assert counted(twin)[Reason.SKIPPED_REENTRY] == 3

    def rule_that_holds_out(self, project: Project, customer: Customer) -> UUID:
        root = min(customer.identifiers.values_list("pk", flat=True))
        while True:
            rule_id = uuid4()
            arm = arms.choose_arm(salt=str(project.pk), root=root, rule_id=rule_id, holdout_percent=10)
            if arm is Arm.HOLDOUT:
                return rule_id

    def test_only_measures_if_told_to(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        rule.action = RuleAction.MEASURE_ONLY
        services.save_rule(rule=rule)
        allow_mail()
        visit()
        run_due(NOON)

        run_due(NOON + WAIT)

        match = only_match(rule)
        assert (match.state, match.reason) == (MatchState.SKIPPED, Reason.SKIPPED_MEASURE_ONLY)
        assert mailbox() == []

    def test_a_paused_automation_does_nothing_with_who_waits(
        self, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)
        services.pause(rule=rule)

        run_due(NOON + WAIT)

        match = only_match(rule)
        assert (match.state, match.reason) == (MatchState.SKIPPED, Reason.SKIPPED_RULE_INACTIVE)
        assert mailbox() == []

    def test_nothing_leaves_while_all_sending_is_paused(
        self, project: Project, rule: RemarketingRule, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        visit()
        run_due(NOON)
        Project.objects.filter(pk=project.pk).update(is_sending_paused=True)

        run_due(NOON + WAIT)

        assert only_match(rule).reason == Reason.SKIPPED_SENDING_PAUSED
        assert mailbox() == []


class TestAtTheMomentOfSending:
    """Between the queue and the mail service a minute can pass; what changed in it counts."""

    @pytest.fixture
    def message(self, rules: Rules, allow_mail: Any, visit: Any, run_due: Any) -> EmailMessage:
        allow_mail()
        visit()
        run_due(NOON)
        report = services.queue_due_matches(now=NOON + WAIT)
        assert report.queued == 1
        return EmailMessage.objects.get()

    def send(self, message: EmailMessage, now: datetime = NOON + WAIT + MINUTE) -> EmailMessage:
        email_services.send_due(now=now, limit=10)
        message.refresh_from_db()
        return message

    def test_nothing_changed_and_it_goes(self, message: EmailMessage) -> None:
        assert self.send(message).state == MessageState.SENT

    def test_an_order_stops_it(self, project: Project, message: EmailMessage) -> None:
        order(project, NOON + WAIT)

        sent = self.send(message)

        assert (sent.state, sent.reason) == (MessageState.SUPPRESSED, Reason.SKIPPED_ORDERED)

    def test_a_paused_automation_stops_it(self, rules: Rules, message: EmailMessage) -> None:
        services.pause(rule=rules["Leaving with interest"])

        sent = self.send(message)

        assert (sent.state, sent.reason) == (MessageState.SUPPRESSED, Reason.SKIPPED_RULE_INACTIVE)

    def test_consent_taken_back_stops_it(self, message: EmailMessage, project: Project) -> None:
        customer_services.record_consent(
            project=project, identifiers={"email": "anna@example.com"}, granted=False, source="form", now=NOON + WAIT
        )

        sent = self.send(message)

        assert (sent.state, sent.reason) == (MessageState.SUPPRESSED, Reason.SKIPPED_NO_CONSENT)

    def test_the_quiet_hours_hold_it_back(self, project: Project, message: EmailMessage) -> None:
        SendPolicy.objects.create(project=project, quiet_from_hour=12, quiet_until_hour=15)

        sent = self.send(message)

        assert sent.state in (MessageState.QUEUED, MessageState.RETRY)
        assert sent.due_at == NOON + 3 * HOUR
        assert self.send(message, NOON + 3 * HOUR).state == MessageState.SENT

    def test_a_day_later_it_is_too_late(self, message: EmailMessage) -> None:
        sent = self.send(message, NOON + 25 * HOUR)

        assert (sent.state, sent.reason) == (MessageState.SUPPRESSED, Reason.SKIPPED_TOO_LATE)

    def test_a_mail_that_went_meanwhile_stops_it(self, rules: Rules, message: EmailMessage) -> None:
        other = EmailMessage.objects.create(
            project=message.project,
            identifier=message.identifier,
            template=message.template,
            purpose=message.purpose,
            send_key="another",
            state=MessageState.UNKNOWN,
            due_at=NOON,
            sending_at=NOON,
        )

        sent = self.send(message)

        assert other.state == MessageState.UNKNOWN
        assert (sent.state, sent.reason) == (MessageState.SUPPRESSED, Reason.SKIPPED_FREQUENCY_LIMIT)
        assert sent.detail.startswith("1 of 1 in 24 hours")

    def test_whoever_was_only_skipped_may_enter_again(
        self, project: Project, rules: Rules, message: EmailMessage, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        rule = rules["Leaving with interest"]
        services.pause(rule=rule)
        self.send(message)
        services.activate(rule=rule)

        visit(NOON + DAY)
        run_due(NOON + DAY)
        run_due(NOON + DAY + WAIT)

        assert len(mailbox()) == 1


class TestSeveralAutomations:
    def test_the_more_important_one_goes_and_the_other_says_which(
        self, rules: Rules, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        rule, rival = rules["Leaving with interest"], rules["Dead click"]
        rival.trigger, rival.wait_minutes = rule.trigger, rule.wait_minutes
        services.save_rule(rule=rival)
        allow_mail()
        visit()
        run_due(NOON)

        run_due(NOON + WAIT)

        assert only_match(rival).state == MatchState.QUEUED
        loser = only_match(rule)
        assert (loser.state, loser.reason) == (MatchState.SKIPPED, Reason.SKIPPED_FREQUENCY_LIMIT)
        assert closed_gate(loser)["detail"].endswith("“Dead click” goes first")
        assert len(mailbox()) == 1

    def test_limits_of_day_and_week_hold_across_automations(
        self, project: Project, rules: Rules, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        rule = rules["Leaving with interest"]
        rule.reentry_days = 0
        services.save_rule(rule=rule)
        allow_mail()

        for hours in (0, 12, 25, 50, 75, 100, 169):
            visit(NOON + hours * HOUR)
            run_due(NOON + hours * HOUR)
            run_due(NOON + hours * HOUR + WAIT)

        sent_at = sorted(EmailMessage.objects.filter(state=MessageState.SENT).values_list("sending_at", flat=True))
        assert [(at - NOON) // HOUR for at in sent_at] == [0, 25, 50, 169]


class TestOtherExamples:
    def test_dead_click_apologises(self, rules: Rules, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any) -> None:
        allow_mail()
        visit(num_broken_buttons=2, avg_broken_buttons=0.5, drop_proba=0.6)
        run_due(NOON)

        run_due(NOON + HOUR)

        assert only_match(rules["Dead click"]).state == MatchState.QUEUED
        assert len(mailbox()) == 1

    def test_hesitating_goes_only_from_nine_to_eight(
        self, rules: Rules, allow_mail: Any, visit: Any, run_due: Any, example_body: Any
    ) -> None:
        allow_mail()
        page = {"name": "https://shop.example.com/products/ridge-tent-2"}
        evening = NOON + 5 * HOUR  # 17:00 in Berlin; four hours later is 21:00
        visit(evening, num_loops=4, avg_loops=1.5, drop_proba=0.6, relevant_events=[page, page])

        run_due(evening)

        assert only_match(rules["Hesitating"]).due_at == NOON + 21 * HOUR

    def test_back_after_silence_goes_the_next_morning_at_ten(
        self, rules: Rules, allow_mail: Any, visit: Any, run_due: Any
    ) -> None:
        allow_mail()
        visit(NOON - 31 * DAY, drop_proba=0.2)
        run_due(NOON - 31 * DAY)
        visit(drop_proba=0.2)

        run_due(NOON)

        assert only_match(rules["Back after silence"]).due_at == NOON + 22 * HOUR

    def test_thank_you_goes_three_days_after_each_order(
        self, project: Project, rules: Rules, allow_mail: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        order(project, NOON, number="1001")
        order(project, NOON + 2 * DAY, number="1002")
        order(project, NOON, number="1001")
        run_due(NOON + 2 * DAY)

        run_due(NOON + 3 * DAY)
        assert len(mailbox()) == 1
        run_due(NOON + 5 * DAY)

        assert len(mailbox()) == 2
        assert RuleMatch.objects.filter(rule=rules["Thank-you"]).count() == 2
        assert {message.context["order_id"] for message in EmailMessage.objects.all()} == {"1001", "1002"}

    def test_thank_you_is_not_said_for_what_was_given_back(
        self, project: Project, rules: Rules, allow_mail: Any, run_due: Any, mailbox: Any
    ) -> None:
        allow_mail()
        order(project, NOON)
        run_due(NOON)
        order(project, NOON, state="refunded", now=NOON + DAY)

        run_due(NOON + DAY)

        match = only_match(rules["Thank-you"])
        assert (match.state, match.reason) == (MatchState.SKIPPED, Reason.SKIPPED_REFUNDED)
        run_due(NOON + 3 * DAY)
        assert mailbox() == []

    def test_last_years_orders_start_nothing(
        self, project: Project, rules: Rules, allow_mail: Any, run_due: Any
    ) -> None:
        allow_mail()
        order(project, NOON - 200 * DAY, now=NOON)

        run_due(NOON)

        assert counted(rules["Thank-you"]) == {Reason.SKIPPED_TOO_LATE: 1}
        assert not RuleMatch.objects.exists()


class TestGallery:
    def test_a_wait_of_nothing_mails_at_once_at_any_hour(
        self, project: Project, templates: Any, rules: Rules, allow_mail: Any, visit: Any, run_due: Any, mailbox: Any
    ) -> None:
        from signals_app.remarketing import gallery

        gallery.install(project=project, templates=templates, wait_minutes=0, holdout=0)
        allow_mail()
        night = NOON + 14 * HOUR
        visit(night)

        run_due(night)

        assert len(mailbox()) == 1
