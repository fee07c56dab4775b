from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from signals_app.customers.constants import IdentifierKind
from signals_app.customers.models import Customer, Identifier, Order
from signals_app.emails.models import EmailTemplate
from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.remarketing import gallery
from signals_app.remarketing.constants import Arm, MatchState, Reason, RuleStatus
from signals_app.remarketing.models import RemarketingRule, RuleCounter, RuleMatch, RuleVariant, SendPolicy
from signals_app.segments import rows
from signals_app.segments.fields import Scope, fields

LIST = "/admin/remarketing/remarketingrule/"
ACTIVITY = "/admin/remarketing/rulematch/"
POLICY = "/admin/remarketing/sendpolicy/"
HOSTILE = "<script>alert(1)</script>{{ 7|add:7 }}"


@pytest.fixture
def template(project: Project) -> EmailTemplate:
    return EmailTemplate.objects.create(
        project=project, name="Leaving", subject="Still interested?", mjml="<mjml/>", compiled_html="<p>Hello</p>"
    )


def rows_data(name: str, tree: dict[str, Any], scope: Scope) -> dict[str, str]:
    """Return what a browser posts for the rows of a tree."""
    found = rows.rows_of(tree, fields(scope))
    assert found is not None
    data = {f"{name}-mode": "rows", f"{name}-join": found.join}
    for group_number, group in enumerate(found.groups):
        data[f"{name}-{group_number}-join"] = group.join
        for number, row in enumerate((*group.rows, rows.Row())):
            prefix = f"{name}-{group_number}-{number}"
            data |= {f"{prefix}-field": row.field, f"{prefix}-op": row.op, f"{prefix}-value": row.value}
    return data


def form(*, variants: list[tuple[str, EmailTemplate, int]], **changes: Any) -> dict[str, Any]:
    """Return what a browser posts for an automation; `trigger` and `audience` are trees."""
    trigger = changes.pop("trigger", {"all": [{"field": "drop_proba", "op": "gte", "value": 0.8}]})
    audience = changes.pop("audience", {})
    scope = Scope.ORDER if changes.get("entry_event") == "ORDER" else Scope.SIGNAL
    data = {
        "name": "Leaving",
        "priority": "20",
        "entry_event": "SIGNAL",
        "wait_minutes": "45",
        "wait_minutes_unit": "1",
        "next_day_hour": "",
        "send_from_hour": "",
        "send_until_hour": "",
        "respects_quiet_hours": "on",
        "max_age_minutes": "1",
        "max_age_minutes_unit": "1440",
        "skip_if_ordered_days": "7",
        "reentry_days": "14",
        "action": "SEND_EMAIL",
        "holdout_percent": "10",
        "variants-TOTAL_FORMS": str(len(variants) + 1),
        "variants-INITIAL_FORMS": "0",
        **rows_data("trigger", trigger, scope),
        **rows_data("audience", audience, Scope.PROFILE),
        **changes,
    }
    for number, (name, template, weight) in enumerate(variants):
        data |= {
            f"variants-{number}-name": name,
            f"variants-{number}-template": str(template.pk),
            f"variants-{number}-weight": str(weight),
        }
    last = len(variants)
    return data | {f"variants-{last}-name": "A", f"variants-{last}-template": "", f"variants-{last}-weight": "1"}


def edit_form(rule: RemarketingRule, **changes: Any) -> dict[str, Any]:
    variants = list(rule.variants.all())
    data = form(variants=[(variant.name, variant.template, variant.weight) for variant in variants], **changes)
    data["variants-INITIAL_FORMS"] = str(len(variants))
    for number, variant in enumerate(variants):
        data |= {f"variants-{number}-id": str(variant.pk), f"variants-{number}-rule": str(rule.pk)}
    return data


@pytest.fixture
def rule(project: Project, template: EmailTemplate) -> RemarketingRule:
    rule = RemarketingRule.objects.create(
        project=project,
        name="Leaving",
        priority=20,
        trigger={"all": [{"field": "drop_proba", "op": "gte", "value": 0.8}]},
    )
    RuleVariant.objects.create(rule=rule, name="Plain", template=template)
    return rule


def errors_of(page: str) -> str:
    assert "Please correct the error" in page
    return page


class TestMakingAnAutomation:
    @pytest.mark.parametrize("ready", gallery.RULES, ids=lambda ready: ready.name)
    def test_by_hand_gives_each_of_the_five_examples(
        self,
        sign_in: Callable[..., Client],
        project: Project,
        template: EmailTemplate,
        ready: gallery.GalleryRule,
    ) -> None:
        settings = {"wait_minutes": 45, "skip_if_ordered_days": 7, "next_day_hour": None, **ready.settings}
        changes = {name: "" if value is None else str(value) for name, value in settings.items()}
        for name in ("wait_minutes", "max_age_minutes"):
            changes[f"{name}_unit"] = "1"
        variants = [(name, template, 1) for name in ready.variants]

        response = sign_in().post(
            f"{LIST}add/", form(variants=variants, name=ready.name, trigger=ready.trigger_tree, **changes)
        )

        assert response.status_code == 302
        rule = RemarketingRule.objects.get()
        assert (rule.project, rule.name, rule.status) == (project, ready.name, RuleStatus.DRAFT)
        assert rule.trigger == ready.trigger_tree
        assert {name: getattr(rule, name) for name in settings} == settings
        assert [variant.name for variant in rule.variants.all()] == list(ready.variants)

    def test_wrong_input_is_named_and_nothing_is_made(
        self, sign_in: Callable[..., Client], template: EmailTemplate
    ) -> None:
        data = form(variants=[("A", template, 1)], wait_minutes="-1", holdout_percent="90", name="")
        data["trigger-0-0-value"] = HOSTILE

        page = errors_of(sign_in().post(f"{LIST}add/", data).content.decode())

        assert "Exit likelihood: “&lt;script&gt;alert(1)&lt;/script&gt;{{ 7|add:7 }}” is not a number." in page
        assert "<script>alert" not in page
        assert "less than or equal to 50" in page
        assert "greater than or equal to 0" in page
        assert not RemarketingRule.objects.exists()

    def test_a_deadline_before_the_end_of_the_wait_is_refused(
        self, sign_in: Callable[..., Client], template: EmailTemplate
    ) -> None:
        data = form(variants=[("A", template, 1)], wait_minutes="2", wait_minutes_unit="1440")

        assert "Must be longer than the wait" in sign_in().post(f"{LIST}add/", data).content.decode()

    def test_a_field_of_another_event_is_refused(self, sign_in: Callable[..., Client], template: EmailTemplate) -> None:
        data = form(variants=[("A", template, 1)]) | {"entry_event": "ORDER"}

        assert "“drop_proba” cannot be used here" in sign_in().post(f"{LIST}add/", data).content.decode()

    def test_a_mail_needs_a_template(self, sign_in: Callable[..., Client]) -> None:
        page = sign_in().post(f"{LIST}add/", form(variants=[])).content.decode()

        assert "Choose a template for at least one variation" in page
        assert not RemarketingRule.objects.exists()

    def test_measuring_needs_none(self, sign_in: Callable[..., Client]) -> None:
        assert sign_in().post(f"{LIST}add/", form(variants=[], action="MEASURE_ONLY")).status_code == 302
        assert not RuleVariant.objects.exists()

    def test_a_template_of_another_store_is_refused(self, sign_in: Callable[..., Client]) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        foreign = EmailTemplate.objects.create(project=other, name="Foreign", subject="S", mjml="<mjml/>")
        browser = sign_in()

        assert "Foreign" not in browser.get(f"{LIST}add/").content.decode()
        page = browser.post(f"{LIST}add/", form(variants=[("A", foreign, 1)])).content.decode()
        assert "Select a valid choice" in page
        assert not RemarketingRule.objects.exists()


class TestChangingAnAutomation:
    def test_untouched_keeps_its_tree_and_version(self, sign_in: Callable[..., Client], rule: RemarketingRule) -> None:
        tree = {"any": [{"all": [{"field": "drop_proba", "op": "gte", "value": 0.8}]}]}
        RemarketingRule.objects.filter(pk=rule.pk).update(trigger=tree)

        response = sign_in().post(f"{LIST}{rule.pk}/change/", edit_form(rule, trigger=tree, name="Leaving soon"))

        assert response.status_code == 302
        rule.refresh_from_db()
        assert (rule.name, rule.trigger, rule.version) == ("Leaving soon", tree, 1)

    @pytest.mark.parametrize(
        "change",
        [
            {"holdout_percent": "20"},
            {"wait_minutes": "60"},
            {"trigger": {"all": [{"field": "num_events", "op": "gte", "value": 3}]}},
            {"variants-0-weight": "5"},
            {"variants-0-weight": "5", "holdout_percent": "20"},
        ],
        ids=str,
    )
    def test_what_decides_makes_one_new_version(
        self, sign_in: Callable[..., Client], rule: RemarketingRule, change: dict[str, Any]
    ) -> None:
        tree = change.pop("trigger", rule.trigger)

        assert sign_in().post(f"{LIST}{rule.pk}/change/", edit_form(rule, trigger=tree) | change).status_code == 302

        rule.refresh_from_db()
        assert rule.version == 2

    def test_the_page_says_it_in_plain_words(
        self, sign_in: Callable[..., Client], rule: RemarketingRule, template: EmailTemplate
    ) -> None:
        RuleVariant.objects.create(rule=rule, name="Other", template=template, weight=3)

        page = sign_in().get(f"{LIST}{rule.pk}/change/").content.decode()

        assert (
            "When Exit likelihood is at least 80 %, wait 45 minutes after the last signal, then send “Leaving” (25 %) "
            "or “Leaving” (75 %), unless they ordered within 7 days."
        ) in page

    def test_a_deep_tree_is_shown_in_words_and_survives(
        self, sign_in: Callable[..., Client], rule: RemarketingRule
    ) -> None:
        tree = {"not": {"field": "visited_cart", "op": "is_true"}}
        RemarketingRule.objects.filter(pk=rule.pk).update(trigger=tree)
        browser = sign_in()

        page = browser.get(f"{LIST}{rule.pk}/change/").content.decode()
        data = edit_form(rule) | {
            "trigger-mode": "json",
            "trigger-json": '{"not": {"field": "visited_cart", "op": "is_true"}}',
        }
        response = browser.post(f"{LIST}{rule.pk}/change/", data)

        assert "not (Visited the cart is yes)" in page
        assert response.status_code == 302
        rule.refresh_from_db()
        assert (rule.trigger, rule.version) == (tree, 1)

    def test_the_last_variation_cannot_be_taken_away(
        self, sign_in: Callable[..., Client], rule: RemarketingRule
    ) -> None:
        page = (
            sign_in().post(f"{LIST}{rule.pk}/change/", edit_form(rule) | {"variants-0-DELETE": "on"}).content.decode()
        )

        assert "Choose a template for at least one variation" in page
        assert rule.variants.count() == 1

    def test_its_history_is_kept(self, sign_in: Callable[..., Client], rule: RemarketingRule) -> None:
        browser = sign_in()
        browser.post(f"{LIST}{rule.pk}/change/", edit_form(rule, holdout_percent="20"))

        assert browser.get(f"{LIST}{rule.pk}/history/").status_code == 200
        assert rule.history.count() == 2


class TestSwitching:
    def test_activate_pause_and_archive_ask_first(self, sign_in: Callable[..., Client], rule: RemarketingRule) -> None:
        browser = sign_in()

        for button, status in (("activate", "ACTIVE"), ("pause", "PAUSED"), ("archive", "ARCHIVED")):
            before = RemarketingRule.objects.get().status
            assert browser.get(f"{LIST}{rule.pk}/{button}/").status_code == 200
            assert RemarketingRule.objects.get().status == before
            browser.post(f"{LIST}{rule.pk}/{button}/")
            assert RemarketingRule.objects.get().status == status

    def test_what_is_missing_is_said(self, sign_in: Callable[..., Client], rule: RemarketingRule) -> None:
        rule.variants.all().delete()
        browser = sign_in()

        page = browser.post(f"{LIST}{rule.pk}/activate/", follow=True).content.decode()

        assert "Not activated. Variations: Add at least one variation" in page
        assert RemarketingRule.objects.get().status == RuleStatus.DRAFT


class TestTheExamples:
    def test_are_added_once_as_drafts_after_a_question(self, sign_in: Callable[..., Client], project: Project) -> None:
        browser = sign_in()

        assert "Nothing is sent until you activate one" in browser.get(f"{LIST}add-examples/").content.decode()
        assert not RemarketingRule.objects.exists()
        assert "Added as drafts" in browser.post(f"{LIST}add-examples/", follow=True).content.decode()
        assert "were there already" in browser.post(f"{LIST}add-examples/", follow=True).content.decode()
        rules = RemarketingRule.objects.all()
        assert {(rule.project, rule.status) for rule in rules} == {(project, RuleStatus.DRAFT)}
        assert {rule.name for rule in rules} == {ready.name for ready in gallery.RULES}

    def test_open_as_rows_and_stay_as_they_are_when_saved(
        self, sign_in: Callable[..., Client], project: Project
    ) -> None:
        browser = sign_in()
        browser.post(f"{LIST}add-examples/")

        for rule in RemarketingRule.objects.all():
            page = browser.get(f"{LIST}{rule.pk}/change/")
            assert 'name="trigger-0-0-field"' in page.content.decode()
            data = posted_unchanged(page.context["adminform"].form, page.context["inline_admin_formsets"], rule)
            assert browser.post(f"{LIST}{rule.pk}/change/", data).status_code == 302
            after = RemarketingRule.objects.get(pk=rule.pk)
            assert (after.trigger, after.version, after.wait_minutes) == (rule.trigger, 1, rule.wait_minutes)


def posted_unchanged(form: Any, formsets: Any, rule: RemarketingRule) -> dict[str, Any]:
    """Return what a browser posts for a page on which nothing was touched."""
    scope = Scope.ORDER if rule.entry_event == "ORDER" else Scope.SIGNAL
    data = rows_data("trigger", rule.trigger, scope) | rows_data("audience", rule.audience, Scope.PROFILE)
    for part in (form, *(inline for entry in formsets for inline in entry.formset.forms)):
        for bound in part:
            if bound.name in ("trigger", "audience"):
                continue
            value = bound.value()
            if bound.name in ("wait_minutes", "max_age_minutes"):
                number, unit = bound.field.widget.decompress(value)
                data |= {bound.html_name: str(number), f"{bound.html_name}_unit": str(unit)}
            elif value is not None and value is not False and value != "":
                data[bound.html_name] = "on" if value is True else str(value)
    for entry in formsets:
        management = entry.formset.management_form
        data |= {bound.html_name: str(bound.value()) for bound in management}
    return data


class TestTheList:
    def test_says_what_starts_each_and_what_it_did(self, sign_in: Callable[..., Client], rule: RemarketingRule) -> None:
        make_match(rule)
        make_match(rule, state=MatchState.SKIPPED, reason=Reason.SKIPPED_NO_CONSENT)

        page = sign_in().get(LIST).content.decode()

        assert "When Exit likelihood is at least 80 %" in page
        assert "<b>1</b> waiting" in page
        assert "<b>0</b> sent" in page
        assert "<b>1</b> skipped" in page

    def test_an_analyst_reads_and_cannot_write(self, sign_in: Callable[..., Client], rule: RemarketingRule) -> None:
        browser = sign_in(Role.ANALYST)

        page = browser.get(f"{LIST}{rule.pk}/change/").content.decode()

        assert "When Exit likelihood is at least 80 %" in page
        assert 'name="trigger-0-0-field"' not in page
        assert browser.post(f"{LIST}{rule.pk}/change/", edit_form(rule)).status_code == 403
        assert browser.post(f"{LIST}add/", edit_form(rule)).status_code == 403
        assert browser.post(f"{LIST}{rule.pk}/activate/").status_code == 403
        assert browser.post(f"{LIST}add-examples/").status_code == 403
        assert RemarketingRule.objects.get().status == RuleStatus.DRAFT

    def test_another_store_has_no_such_automation(self, sign_in: Callable[..., Client], rule: RemarketingRule) -> None:
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")
        match = make_match(rule)
        browser = sign_in(store=other)

        assert "No " in browser.get(LIST).content.decode() or "Leaving" not in browser.get(LIST).content.decode()
        for page in ("change", "delete", "history", "activate", "pause", "archive"):
            assert browser.get(f"{LIST}{rule.pk}/{page}/").status_code == 404
            assert browser.post(f"{LIST}{rule.pk}/{page}/", {}).status_code == 404
        assert browser.get(f"{ACTIVITY}{match.pk}/change/").status_code == 404
        assert str(match.pk) not in browser.get(ACTIVITY).content.decode()


def make_match(rule: RemarketingRule, **changes: Any) -> RuleMatch:
    now = timezone.now()
    number = RuleMatch.objects.count()
    customer = Customer.objects.create(project=rule.project, email=f"anna{number}@example.com", name=HOSTILE)
    identifier = Identifier.objects.create(
        project=rule.project, customer=customer, kind=IdentifierKind.EMAIL, value=customer.email
    )
    defaults = {
        "project": rule.project,
        "rule": rule,
        "rule_version": 1,
        "identifier": identifier,
        "entry_key": f"signal:{number}",
        "triggered_at": now,
        "due_at": now,
        "created_at": now,
        "values": {"drop_proba": 0.97, "viewed_product_keys": [HOSTILE], "gone": HOSTILE},
        "gates": [
            {"gate": "trigger", "passed": True, "detail": "Exit likelihood is at least 80 %"},
            {"gate": "consent", "passed": False, "detail": HOSTILE},
        ],
    }
    return RuleMatch.objects.create(**defaults | changes)


class TestResults:
    def test_compare_real_shoppers_and_count_reasons(
        self, sign_in: Callable[..., Client], rule: RemarketingRule, project: Project
    ) -> None:
        now = timezone.now()
        for number in range(3):
            match = make_match(
                rule,
                state=MatchState.SKIPPED,
                reason=Reason.SKIPPED_HOLDOUT,
                arm=Arm.HOLDOUT,
                decided_at=now - timedelta(hours=2),
            )
            if number == 0:
                Order.objects.create(
                    project=project,
                    identifier=match.identifier,
                    order_id="1",
                    total=10,
                    currency="EUR",
                    placed_at=now - timedelta(hours=1),
                )
        hour = now.replace(minute=0, second=0, microsecond=0)
        RuleCounter.objects.create(rule=rule, rule_version=1, reason=Reason.SKIPPED_TRIGGER, hour=hour, count=41)

        page = sign_in().get(f"{LIST}{rule.pk}/change/").content.decode()

        assert "<td>Control group</td><td>3</td><td>1</td><td>33.3 %</td>" in page
        assert "<td>Got the mail</td><td>0</td><td>0</td><td>–</td>" in page
        assert "The trigger does not hold" in page
        assert "<strong>41</strong>" in page


class TestRecipientActivity:
    def test_a_match_shows_every_gate_and_value_escaped(
        self, sign_in: Callable[..., Client], rule: RemarketingRule
    ) -> None:
        match = make_match(rule, state=MatchState.SKIPPED, reason=Reason.SKIPPED_NO_CONSENT)
        browser = sign_in(Role.ANALYST)

        page = browser.get(f"{ACTIVITY}{match.pk}/change/").content.decode()

        assert "Has given consent" in page
        assert "No consent" in page
        assert "97 %" in page
        assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
        assert "<script>alert" not in page
        assert "<script>alert" not in browser.get(ACTIVITY).content.decode()

    @pytest.mark.parametrize("query", ["?state=skipped", "?q=anna0", "?arm=HOLDOUT", "", "?q=%00", "?state=nonsense"])
    def test_the_list_takes_filters(self, sign_in: Callable[..., Client], rule: RemarketingRule, query: str) -> None:
        make_match(rule)

        assert sign_in().get(f"{ACTIVITY}{query}").status_code in (200, 302)

    def test_nothing_can_be_changed(self, sign_in: Callable[..., Client], rule: RemarketingRule) -> None:
        match = make_match(rule)
        browser = sign_in(Role.OWNER)

        assert browser.get(f"{ACTIVITY}add/").status_code == 403
        assert browser.post(f"{ACTIVITY}{match.pk}/delete/").status_code == 403


class TestFrequencyLimits:
    def test_the_menu_leads_to_the_one_page(self, sign_in: Callable[..., Client], project: Project) -> None:
        browser = sign_in()
        data = {"max_per_day": "2", "max_per_week": "5", "quiet_from_hour": "22", "quiet_until_hour": "7"}

        assert browser.get(POLICY).headers["Location"] == f"{POLICY}add/"
        initial = browser.get(f"{POLICY}add/").context["adminform"].form
        assert (initial["quiet_from_hour"].initial, initial["quiet_until_hour"].initial) == (21, 8)
        assert browser.post(f"{POLICY}add/", data).status_code == 302

        policy = SendPolicy.objects.get()
        assert (policy.project, policy.max_per_day, policy.quiet_from_hour) == (project, 2, 22)
        assert browser.get(POLICY).headers["Location"] == f"{POLICY}{project.pk}/change/"
        assert f"{POLICY}add/" not in browser.get(f"{POLICY}{project.pk}/change/").content.decode()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"quiet_until_hour": ""}, "Choose both hours"),
            ({"quiet_until_hour": "22"}, "Quiet all day long"),
            ({"max_per_week": "1"}, "below the day"),
            ({"max_per_day": "0"}, "greater than or equal to 1"),
            ({"quiet_from_hour": "24"}, "Select a valid choice"),
        ],
        ids=str,
    )
    def test_wrong_limits_are_named(self, sign_in: Callable[..., Client], change: dict[str, str], said: str) -> None:
        data = {"max_per_day": "2", "max_per_week": "5", "quiet_from_hour": "22", "quiet_until_hour": "7"}

        assert said in sign_in().post(f"{POLICY}add/", data | change).content.decode()
        assert not SendPolicy.objects.exists()


class TestExplainNow:
    @pytest.mark.parametrize("said", ["anna0@example.com", " ANNA0@example.com ", "{pk}"])
    def test_answers_for_any_profile_and_automation(
        self, sign_in: Callable[..., Client], rule: RemarketingRule, said: str
    ) -> None:
        customer = make_match(rule, state=MatchState.PLANNED).identifier.customer
        data = {"profile": said.format(pk=customer.pk), "rule": str(rule.pk)}

        page = sign_in(Role.ANALYST).get(f"{ACTIVITY}explain/", data).content.decode()

        assert "The automation is not active" in page
        assert "Exit likelihood is at least 80 %" in page
        assert "found: 97 %" in page
        assert "<script>alert" not in page

    def test_says_so_when_nothing_has_happened(
        self, sign_in: Callable[..., Client], rule: RemarketingRule, project: Project
    ) -> None:
        customer = Customer.objects.create(project=project, email="new@example.com")

        page = sign_in().get(f"{ACTIVITY}explain/", {"profile": customer.pk, "rule": rule.pk}).content.decode()

        assert "Nothing has happened yet that could start it" in page

    @pytest.mark.parametrize("said", ["", "nobody@example.com", HOSTILE, "x\x00y", "1" * 300])
    def test_an_unknown_profile_is_named(
        self, sign_in: Callable[..., Client], rule: RemarketingRule, said: str
    ) -> None:
        response = sign_in().get(f"{ACTIVITY}explain/", {"profile": said, "rule": str(rule.pk)})

        assert response.status_code == 200
        assert "profile" in response.context["form"].errors
        assert "<script>alert" not in response.content.decode()

    def test_knows_nothing_of_another_store(self, sign_in: Callable[..., Client], rule: RemarketingRule) -> None:
        customer = make_match(rule).identifier.customer
        other = Project.objects.create(slug="other", name="Other", shop_url="https://other.example.com")

        response = sign_in(store=other).get(f"{ACTIVITY}explain/", {"profile": customer.pk, "rule": rule.pk})

        assert set(response.context["form"].errors) == {"profile", "rule"}
