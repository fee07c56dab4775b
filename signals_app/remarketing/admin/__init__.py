"""The pages where marketers make automations and read what these did."""

from signals_app.remarketing.admin.activity import RuleMatchAdmin
from signals_app.remarketing.admin.calibration import CalibrationAdmin
from signals_app.remarketing.admin.policy import SendPolicyAdmin
from signals_app.remarketing.admin.rules import RemarketingRuleAdmin

__all__ = ["CalibrationAdmin", "RemarketingRuleAdmin", "RuleMatchAdmin", "SendPolicyAdmin"]
