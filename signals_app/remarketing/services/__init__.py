"""What others may ask of automations: plan, decide, follow, explain, and the rules themselves."""

from signals_app.remarketing.services.calibrating import gather_calibration, plan_calibration
from signals_app.remarketing.services.explaining import Explanation, explain
from signals_app.remarketing.services.following import follow_facts
from signals_app.remarketing.services.planning import PlannedMatches, plan_matches
from signals_app.remarketing.services.queueing import DueReport, queue_due_matches
from signals_app.remarketing.services.rules import (
    FieldError,
    RuleNotReady,
    activate,
    archive,
    check_rule,
    note_variants_changed,
    pause,
    policy_of,
    save_rule,
    spec_of,
    trigger_scope,
)
from signals_app.remarketing.services.sending import send_guard
from signals_app.remarketing.services.transfer import InvalidRuleFile, export_rules, import_rules

__all__ = [
    "DueReport",
    "Explanation",
    "FieldError",
    "InvalidRuleFile",
    "PlannedMatches",
    "RuleNotReady",
    "activate",
    "archive",
    "check_rule",
    "explain",
    "export_rules",
    "follow_facts",
    "gather_calibration",
    "import_rules",
    "note_variants_changed",
    "pause",
    "plan_calibration",
    "plan_matches",
    "policy_of",
    "queue_due_matches",
    "save_rule",
    "send_guard",
    "spec_of",
    "trigger_scope",
]
