"""Rules as YAML: to review them, keep them in version control, or take them to another store."""

from __future__ import annotations

from typing import Any

import yaml
from django.core.exceptions import ValidationError
from django.db import transaction

from signals_app.core.exceptions import PermanentError
from signals_app.emails.models import EmailTemplate
from signals_app.projects.models import Project
from signals_app.remarketing.constants import RuleStatus
from signals_app.remarketing.models import RemarketingRule, RuleVariant
from signals_app.remarketing.services import rules as rule_services

FORMAT_VERSION = 1
PLAIN_FIELDS = (
    "status",
    "priority",
    "entry_event",
    "action",
    "wait_minutes",
    "next_day_hour",
    "send_from_hour",
    "send_until_hour",
    "max_age_minutes",
    "reentry_days",
    "skip_if_ordered_days",
    "holdout_percent",
    "respects_quiet_hours",
)
RULE_FIELDS = ("name", *PLAIN_FIELDS, "trigger", "audience")
_VARIANT_FIELDS = ("name", "template", "weight")


class _Loader(yaml.SafeLoader):
    """Reads a date written without quotes as text, as conditions have it: made a moment, it would lose its clock."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class InvalidRuleFile(PermanentError):
    """A file of rules that cannot be imported; the message names the rule and the field, and nothing was changed."""


def export_rules(*, project: Project) -> str:
    """
    Return the store's automations as YAML, archived ones left out.

    `{"format": 1, "rules": [{"name", "status", ..., "trigger", "audience", "variants": [{"name", "template": name of
    the template, "weight"}]}]}`. Templates are named, not included.
    """
    rules = RemarketingRule.objects.filter(project=project).exclude(status=RuleStatus.ARCHIVED)
    document = {
        "format": FORMAT_VERSION,
        "rules": [
            {name: getattr(rule, name) for name in RULE_FIELDS}
            | {
                "variants": [
                    {"name": variant.name, "template": variant.template.name, "weight": variant.weight}
                    for variant in rule.variants.all()
                ]
            }
            for rule in rules.prefetch_related("variants__template").order_by("priority", "name")
        ],
    }
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)


def import_rules(*, project: Project, text: str) -> list[RemarketingRule]:
    """
    Create or change the store's automations as the YAML says, found by name, and return them.

    A field that is left out keeps its value (in a new rule: the default). Everything or nothing is imported.

    :raises InvalidRuleFile: naming the rule and the field.
    """
    entries = _entries(text)
    names = [entry["name"] for entry in entries]
    if len(set(names)) != len(names):
        raise InvalidRuleFile("two rules have the same name")
    with transaction.atomic():
        return [_import_rule(project, entry) for entry in entries]


def _entries(text: str) -> list[dict[str, Any]]:
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader that knows less
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidRuleFile(f"this is not YAML: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT_VERSION:
        raise InvalidRuleFile(f"the file must begin with “format: {FORMAT_VERSION}”")
    entries = document.get("rules")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidRuleFile("“rules” must be a list of rules")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry.get("name"), str) or not entry["name"]:
            raise InvalidRuleFile(f"rule {number} has no name")
        unknown = entry.keys() - {*RULE_FIELDS, "variants"}
        if unknown:
            raise InvalidRuleFile(f"“{entry['name']}” has unknown fields: {', '.join(sorted(map(str, unknown)))}")
    return entries


def _import_rule(project: Project, entry: dict[str, Any]) -> RemarketingRule:
    name = entry["name"]
    rule = RemarketingRule.objects.filter(project=project, name=name).first()
    rule = rule or RemarketingRule(project=project, name=name)
    for field in entry.keys() & {*RULE_FIELDS}:
        # Of a field that may be empty Django checks no empty value, of whatever type; the database would refuse it.
        is_empty = field in PLAIN_FIELDS and entry[field] in ("", [], {})
        setattr(rule, field, None if is_empty else entry[field])
    wanted_status = rule.status
    # Checked as a draft first: an active rule needs its variations, and these need the rule.
    rule.status = RuleStatus.DRAFT
    try:
        rule.full_clean(validate_unique=False, validate_constraints=False)
        rule_services.save_rule(rule=rule)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidRuleFile(f"“{name}”, {field}: {messages[0]}") from error
    except rule_services.RuleNotReady as error:
        raise InvalidRuleFile(f"“{name}”, {error.errors[0].field}: {error.errors[0].message}") from error
    if "variants" in entry:
        _import_variants(rule, entry["variants"])
    return _set_status(rule, wanted_status)


def _set_status(rule: RemarketingRule, status: Any) -> RemarketingRule:
    if status not in RuleStatus.values:
        raise InvalidRuleFile(f"“{rule.name}”, status: use one of {', '.join(RuleStatus.values)}")
    if status == RuleStatus.ACTIVE:
        try:
            rule_services.activate(rule=rule)
        except rule_services.RuleNotReady as error:
            raise InvalidRuleFile(f"“{rule.name}”, {error.errors[0].field}: {error.errors[0].message}") from error
    elif status != rule.status:
        rule.status = status
        rule.save(update_fields=["status", "updated_at"])
    return rule


def _import_variants(rule: RemarketingRule, entries: Any) -> None:
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and entry.keys() <= set(_VARIANT_FIELDS) for entry in entries
    ):
        raise InvalidRuleFile(f"“{rule.name}”, variants: give a list of name, template and weight")
    before = {variant.name: (variant.template_id, variant.weight) for variant in rule.variants.all()}
    after = {}
    for entry in entries:
        template = EmailTemplate.objects.filter(project=rule.project, name=str(entry.get("template"))).first()
        if template is None:
            raise InvalidRuleFile(f"“{rule.name}”, variants: the store has no template “{entry.get('template')}”")
        variant = RuleVariant(rule=rule, name=entry.get("name", "A"), template=template, weight=entry.get("weight", 1))
        try:
            variant.clean_fields()
        except ValidationError as error:
            field, messages = next(iter(error.message_dict.items()))
            raise InvalidRuleFile(f"“{rule.name}”, variants, {field}: {messages[0]}") from error
        after[variant.name] = (template.pk, variant.weight)
        RuleVariant.objects.update_or_create(
            rule=rule, name=variant.name, defaults={"template": template, "weight": variant.weight}
        )
    rule.variants.exclude(name__in=after).delete()
    if before and before != after:
        rule_services.note_variants_changed(rule=rule)
