"""The guard of an automation's mail: asked under the customer's lock, in the transaction that begins the sending."""

from __future__ import annotations

from signals_app.emails.guards import GuardAction, GuardRequest, GuardVerdict
from signals_app.remarketing import schedule
from signals_app.remarketing.constants import Reason
from signals_app.remarketing.decision import Moment, Outcome, decide
from signals_app.remarketing.models import RuleMatch
from signals_app.remarketing.services import rules as rule_services
from signals_app.remarketing.services.situations import match_situation


def send_guard(request: GuardRequest) -> GuardVerdict:
    """
    Decide once more, at the last moment: rule paused, ordered meanwhile, control group, limits, quiet hours, too late.

    Frequency limits count the mails of all automations that have been sent or may have been; since the customer is
    locked, of two mails about to leave for one shopper the second sees the first.
    """
    match = (
        RuleMatch.objects.filter(message=request.message)
        .select_related("rule", "project", "order", "identifier")
        .first()
    )
    if match is None:
        reason = Reason.SKIPPED_RULE_INACTIVE
        return GuardVerdict(GuardAction.SKIP, reason=reason.value, detail="the automation was deleted")
    policy = rule_services.policy_of(match.project)
    spec = rule_services.spec_of(match.rule, policy, zone=schedule.zone_of(match.project.time_zone))
    situation = match_situation(
        match=match, customer=request.customer, spec=spec, policy=policy, moment=Moment.SEND, now=request.now
    )
    decision = decide(spec, situation, request.now)
    match decision.outcome:
        case Outcome.SEND:
            return GuardVerdict(GuardAction.SEND)
        case Outcome.POSTPONE:
            return GuardVerdict(
                GuardAction.POSTPONE, reason=decision.reason.value, detail=decision.detail, until=decision.due_at
            )
        case _:
            return GuardVerdict(GuardAction.SKIP, reason=decision.reason.value, detail=decision.detail)
