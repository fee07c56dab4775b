from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from signals_app.emails.models import EmailTemplate
from signals_app.projects.models import Project
from signals_app.remarketing import gallery, services
from signals_app.remarketing.constants import EntryEvent, RuleAction, RuleStatus
from signals_app.remarketing.models import RemarketingRule
from signals_app.segments.fields import Scope
from tests.remarketing.conftest import NOON

TRIGGER = {"field": "drop_proba", "op": "gte", "value": 0.8}


def make_rule(project: Project, **changes: Any) -> RemarketingRule:
    return RemarketingRule(**{"project": project, "name": "Rule", "trigger": TRIGGER, **changes})


class TestCheckRule:
    @pytest.mark.parametrize(
        ("changes", "field", "message"),
        [
            ({"trigger": {"field": "nothing", "op": "eq", "value": 1}}, "trigger", "there is no field named “nothing”"),
            ({"trigger": {"field": "order_total", "op": "gte", "value": 1}}, "trigger", "no field named"),
            ({"audience": TRIGGER}, "audience", "no field named “drop_proba”"),
            ({"audience": {"field": "stage", "op": "eq", "value": "gone"}}, "audience", "“Stage” takes one of"),
            ({"wait_minutes": 60, "max_age_minutes": 60}, "max_age_minutes", "longer than the wait"),
            (
                {"wait_minutes": 0, "next_day_hour": 10, "max_age_minutes": 600},
                "max_age_minutes",
                "longer than the wait",
            ),
            ({"send_from_hour": 9}, "send_until_hour", "both hours"),
            ({"send_until_hour": 9}, "send_from_hour", "both hours"),
            ({"send_from_hour": 9, "send_until_hour": 9}, "send_until_hour", "no hour"),
            ({"send_from_hour": 22, "send_until_hour": 24}, "send_from_hour", "within the quiet hours"),
            ({"status": RuleStatus.ACTIVE}, "variants", "at least one variation"),
            (
                {"status": RuleStatus.ACTIVE, "trigger": {}, "action": RuleAction.MEASURE_ONLY},
                "trigger",
                "at least one",
            ),
        ],
    )
    def test_names_the_field_that_is_wrong(
        self, project: Project, changes: dict[str, Any], field: str, message: str
    ) -> None:
        (error,) = services.check_rule(make_rule(project, **changes))

        assert error.field == field
        assert message in error.message

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"trigger": {}},
            {"status": RuleStatus.ACTIVE, "action": RuleAction.MEASURE_ONLY},
            {"send_from_hour": 22, "send_until_hour": 24, "respects_quiet_hours": False},
            {"entry_event": EntryEvent.ORDER, "trigger": {}},
        ],
    )
    def test_lets_pass_what_can_work(self, project: Project, changes: dict[str, Any]) -> None:
        assert services.check_rule(make_rule(project, **changes)) == []


class TestSaveRule:
    def test_refuses_what_is_wrong(self, project: Project) -> None:
        with pytest.raises(services.RuleNotReady, match="longer than the wait"):
            services.save_rule(rule=make_rule(project, max_age_minutes=1))

        assert not RemarketingRule.objects.exists()

    def test_makes_a_new_version_only_if_a_decision_depends_on_the_change(self, project: Project) -> None:
        rule = services.save_rule(rule=make_rule(project))
        assert rule.version == 1

        rule.name = "Another name"
        services.save_rule(rule=rule)
        assert rule.version == 1

        rule.trigger = TRIGGER | {"value": 0.7}
        services.save_rule(rule=rule)
        rule.refresh_from_db()
        assert rule.version == 2


class TestActivate:
    def test_needs_something_to_send(self, project: Project, templates: dict[str, EmailTemplate]) -> None:
        rule = services.save_rule(rule=make_rule(project))
        with pytest.raises(services.RuleNotReady, match="variation"):
            services.activate(rule=rule)

        rule.variants.create(template=templates["dead_click"])

        assert services.activate(rule=rule)
        assert not services.activate(rule=rule)
        assert services.pause(rule=rule)
        assert RemarketingRule.objects.get().status == RuleStatus.PAUSED

    def test_whoever_saves_a_rule_that_was_paused_meanwhile_leaves_it_paused(
        self, rules: dict[str, RemarketingRule]
    ) -> None:
        open_in_the_form = RemarketingRule.objects.get(name="Dead click")
        services.pause(rule=rules["Dead click"])

        open_in_the_form.priority = 5
        services.save_rule(rule=open_in_the_form)

        rule = RemarketingRule.objects.get(name="Dead click")
        assert (rule.status, rule.priority) == (RuleStatus.PAUSED, 5)


class TestGallery:
    def test_has_the_numbers_of_the_plan(self, rules: dict[str, RemarketingRule]) -> None:
        found = {
            name: (rule.wait_minutes, rule.next_day_hour, rule.max_age_minutes // 60, rule.reentry_days)
            for name, rule in rules.items()
        }

        assert found == {
            "Leaving with interest": (45, None, 24, 14),
            "Dead click": (60, None, 48, 30),
            "Hesitating": (240, None, 48, 30),
            "Back after silence": (0, 10, 36, 60),
            "Thank-you": (3 * 24 * 60, None, 7 * 24, 0),
        }
        assert {rule.skip_if_ordered_days for rule in rules.values()} == {7, None}
        assert all(rule.status == RuleStatus.ACTIVE and rule.respects_quiet_hours for rule in rules.values())
        assert {name: rule.variants.count() for name, rule in rules.items() if rule.variants.count() > 1} == {
            "Leaving with interest": 2,
            "Hesitating": 2,
        }

    def test_speaks_in_the_marketers_words(self, rules: dict[str, RemarketingRule]) -> None:
        from signals_app.segments import conditions, fields

        tree = rules["Leaving with interest"].trigger

        assert conditions.sentence(conditions.parse(tree, fields.fields(Scope.SIGNAL), zone=UTC)) == (
            "Exit likelihood is at least 80 % and Events is at least 6 and Intent score is at least 60 of 100 and "
            "Dead clicks above usual is at most 0 and Back-and-forth compared with usual is less than 1.5 times and "
            "Products viewed is at least 1"
        )

    def test_has_a_control_group_of_ten_percent_unless_told_otherwise(
        self, project: Project, templates: dict[str, EmailTemplate]
    ) -> None:
        installed = gallery.install(project=project, templates=templates, activate=False)

        assert {rule.holdout_percent for rule in installed} == {10}
        assert {rule.status for rule in installed} == {RuleStatus.DRAFT}

    def test_installed_again_keeps_what_a_marketer_changed(
        self, project: Project, templates: dict[str, EmailTemplate], rules: dict[str, RemarketingRule]
    ) -> None:
        rule = rules["Dead click"]
        rule.wait_minutes = 90
        services.save_rule(rule=rule)
        services.pause(rule=rule)

        gallery.install(project=project, templates=templates)

        assert RemarketingRule.objects.count() == 5
        rule.refresh_from_db()
        assert (rule.wait_minutes, rule.status) == (90, RuleStatus.PAUSED)

    def test_a_wait_of_nothing_leaves_out_windows_and_quiet_hours(
        self, project: Project, templates: dict[str, EmailTemplate]
    ) -> None:
        installed = gallery.install(project=project, templates=templates, wait_minutes=0, holdout=0)

        assert {
            (
                rule.wait_minutes,
                rule.next_day_hour,
                rule.send_from_hour,
                rule.respects_quiet_hours,
                rule.holdout_percent,
            )
            for rule in installed
        } == {(0, None, None, False, 0)}


class TestTransfer:
    def test_what_was_exported_makes_the_same_rules_in_another_store(
        self, project: Project, rules: dict[str, RemarketingRule], tmp_path: Any, capsys: Any
    ) -> None:
        from signals_app.emails import gallery as email_gallery

        call_command("export_rules", project.slug)
        path = tmp_path / "rules.yaml"
        path.write_text(capsys.readouterr().out, encoding="utf-8")
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        email_gallery.install(project=other, now=NOON)

        call_command("import_rules", "other", str(path))
        call_command("import_rules", "other", str(path))

        assert services.export_rules(project=other) == services.export_rules(project=project)
        assert RemarketingRule.objects.filter(project=other, version=1).count() == 5

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"wait_minutes": "soon"}, "“Dead click”, wait_minutes"),
            ({"holdout_percent": 90}, "“Dead click”, holdout_percent"),
            ({"priority": ""}, "“Dead click”, priority"),
            ({"max_age_minutes": 5}, "“Dead click”, max_age_minutes: Must be longer"),
            ({"trigger": {"field": "nothing", "op": "eq", "value": 1}}, "“Dead click”, trigger"),
            ({"status": "RUNNING"}, "“Dead click”, status"),
            ({"variants": [{"name": "A", "template": "Nowhere"}]}, "the store has no template “Nowhere”"),
            ({"variants": "A"}, "“Dead click”, variants"),
            ({"variants": []}, "“Dead click”, variants: Add at least one"),
            ({"colour": "red"}, "unknown fields: colour"),
            ({"name": ""}, "rule 2 has no name"),
        ],
    )
    def test_imports_nothing_if_one_rule_is_wrong_and_names_it(
        self, project: Project, rules: dict[str, RemarketingRule], change: dict[str, Any], message: str
    ) -> None:
        good = {"name": "New", "trigger": TRIGGER}
        bad = {"name": "Dead click", "status": "ACTIVE", **change}
        before = services.export_rules(project=project)

        with pytest.raises(services.InvalidRuleFile, match=message):
            services.import_rules(project=project, text=yaml.safe_dump({"format": 1, "rules": [good, bad]}))

        assert services.export_rules(project=project) == before

    @pytest.mark.parametrize("value", ["2026-12-01", "2026-12-01T10:30", "2026-12-01T00:00:00Z"])
    @pytest.mark.parametrize("quote", ["", "'"])
    def test_a_date_stays_as_it_is_written(self, project: Project, value: str, quote: str) -> None:
        text = f"""
            format: 1
            rules:
              - name: Since December
                trigger: {{field: drop_proba, op: gte, value: 0.8}}
                audience: {{field: last_seen_at, op: gte, value: {quote}{value}{quote}}}
        """
        services.import_rules(project=project, text=text)
        exported = services.export_rules(project=project)
        services.import_rules(project=project, text=exported)

        rule = RemarketingRule.objects.get()
        assert rule.audience == {"field": "last_seen_at", "op": "gte", "value": value}
        assert rule.version == 1
        assert services.export_rules(project=project) == exported

    def test_an_empty_value_is_none(self, project: Project, rules: dict[str, RemarketingRule]) -> None:
        rule = {"name": "Dead click", "next_day_hour": "", "skip_if_ordered_days": []}

        services.import_rules(project=project, text=yaml.safe_dump({"format": 1, "rules": [rule]}))

        changed = RemarketingRule.objects.get(name="Dead click")
        assert (changed.next_day_hour, changed.skip_if_ordered_days) == (None, None)

    @pytest.mark.parametrize(
        "text",
        ["", "- a", "format: 2", "format: 1", "format: 1\nrules: 5", "{", "a: !!python/object:os.system x", "\x00"],
    )
    def test_refuses_a_file_that_is_none(self, project: Project, text: str) -> None:
        with pytest.raises(services.InvalidRuleFile):
            services.import_rules(project=project, text=text)

    def test_the_commands_name_a_store_that_does_not_exist(self, project: Project, tmp_path: Any) -> None:
        with pytest.raises(CommandError, match="no store “nowhere”"):
            call_command("export_rules", "nowhere")
        with pytest.raises(CommandError, match="No such file"):
            call_command("import_rules", project.slug, str(tmp_path / "none.yaml"))
