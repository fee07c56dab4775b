"""What others may ask of automations: the rules themselves, in and out."""

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
from signals_app.remarketing.services.transfer import InvalidRuleFile, export_rules, import_rules

__all__ = [
    "FieldError",
    "InvalidRuleFile",
    "RuleNotReady",
    "activate",
    "archive",
    "check_rule",
    "export_rules",
    "import_rules",
    "note_variants_changed",
    "pause",
    "policy_of",
    "save_rule",
    "spec_of",
    "trigger_scope",
]
