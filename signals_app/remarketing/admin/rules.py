"""Automations: the list, the page on which one is made, and its results."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from signals_app.core.admin import ChoicesFilter, HistoricalAdmin, TabularInline, action, display, post_action
from signals_app.core.display import badge, bar, inside_link
from signals_app.emails import gallery as email_gallery
from signals_app.projects.models import Project
from signals_app.remarketing import gallery, results, services, wording
from signals_app.remarketing.constants import RuleAction, RuleStatus
from signals_app.remarketing.forms import RuleForm, VariantFormSet
from signals_app.remarketing.models import RemarketingRule, RuleVariant
from signals_app.segments.fields import Scope

STATUS_TONES = {RuleStatus.ACTIVE: "good", RuleStatus.PAUSED: "warn"}
USEFUL_BUTTONS = {
    RuleStatus.DRAFT: ("activate", "archive"),
    RuleStatus.ACTIVE: ("pause", "archive"),
    RuleStatus.PAUSED: ("activate", "archive"),
    RuleStatus.ARCHIVED: ("activate",),
}
LIST_DAYS = 7
RESULT_DAYS = (7, 30)


class VariantInline(TabularInline[RuleVariant, RemarketingRule]):
    model = RuleVariant
    formset = VariantFormSet
    fields = ("name", "template", "weight")
    hide_title = True
    verbose_name_plural = "Variations: which mail goes out, and to what share"

    def get_extra(self, request: HttpRequest, obj: RemarketingRule | None = None, **kwargs: Any) -> int:
        return 0 if obj is not None and obj.variants.exists() else 1


@admin.register(RemarketingRule)
class RemarketingRuleAdmin(HistoricalAdmin[RemarketingRule]):
    names_are_public = True
    form = RuleForm
    inlines = (VariantInline,)
    list_display = ("named", "status_badge", "starts", "last_week", "priority")
    list_filter = (("status", ChoicesFilter),)
    search_fields = ("name",)
    ordering = ("priority", "pk")
    readonly_fields = ("status_badge", "trigger_words", "audience_words")
    actions_list = ("add_examples",)
    actions_detail = ("activate", "pause", "archive")
    change_form_outer_before_template = "admin/remarketing/rule_summary.html"
    change_form_outer_after_template = "admin/remarketing/rule_results.html"
    history_list_display = ("version", "status")

    class Media:
        css = {"all": ["remarketing/automations.css"]}

    def get_fieldsets(self, request: HttpRequest, obj: RemarketingRule | None = None) -> Any:
        may_edit = self.has_add_permission(request) if obj is None else self.has_change_permission(request, obj)
        trigger, audience = ("trigger", "audience") if may_edit else ("trigger_words", "audience_words")
        name = ("name", "priority") if obj is None else ("name", "status_badge", "priority")
        hours = ("next_day_hour", "send_from_hour", "send_until_hour", "respects_quiet_hours")
        return [
            (None, {"fields": name}),
            ("When", {"fields": ("entry_event", trigger, audience)}),
            (
                "Wait, and send at a good hour",
                {
                    "fields": ("wait_minutes", *hours, "max_age_minutes"),
                    "description": "Hours are those of the shopper's time zone, else of the store's.",
                },
            ),
            ("Skip if, and re-entry", {"fields": ("skip_if_ordered_days", "reentry_days")}),
            ("Then", {"fields": ("action", "holdout_percent")}),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RemarketingRule]:
        return super().get_queryset(request).prefetch_related("variants__template")

    # --- the list ---------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if (page := context.get("cl")) is not None:
            rules = list(page.result_list)
            since = timezone.now() - timedelta(days=LIST_DAYS)
            found = results.recent_activity(rules=[rule.pk for rule in rules], since=since)
            for rule in rules:
                rule.recent = found.get(rule.pk, results.Activity())
            page.result_list = rules
        return response

    @display(description="Automation", ordering="name")
    def named(self, rule: RemarketingRule) -> SafeString | str:
        return rule.name

    @display(description="Status", ordering="status")
    def status_badge(self, rule: RemarketingRule) -> SafeString:
        return badge(rule.get_status_display(), STATUS_TONES.get(RuleStatus(rule.status), "neutral"))

    @display(description="Trigger")
    def starts(self, rule: RemarketingRule) -> SafeString:
        said = wording.trigger_in_words(rule)
        return format_html('<div class="rule-starts" title="{}">{}</div>', said, said)

    @display(description=f"Last {LIST_DAYS} days")
    def last_week(self, rule: RemarketingRule) -> SafeString:
        recent: results.Activity = getattr(rule, "recent", results.Activity())
        return format_html(
            '<span class="rule-counts"><span><b>{}</b> waiting</span><span><b>{}</b> sent</span>'
            "<span><b>{}</b> skipped</span></span>",
            recent.waiting,
            recent.sent,
            recent.skipped,
        )

    # --- the page of one automation -----------------------------------------------------------------------------------

    @display(description="Trigger")
    def trigger_words(self, rule: RemarketingRule) -> str:
        return wording.trigger_in_words(rule)

    @display(description="Profile filters")
    def audience_words(self, rule: RemarketingRule) -> str:
        return wording.tree_in_words(rule.audience, Scope.PROFILE) or "Everyone"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        rule = self.get_object(request, object_id)
        context = {} if rule is None else page_context(rule)
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)

    def save_model(self, request: HttpRequest, obj: RemarketingRule, form: Any, change: bool) -> None:
        before = obj.version
        services.save_rule(rule=obj)
        form.made_new_version = obj.version != before

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if change and not form.made_new_version and any(formset.has_changed() for formset in formsets):
            services.note_variants_changed(rule=form.instance)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer only the buttons that would change something."""
        offered: list[Any] = super().get_actions_detail(request, object_id)
        rule = self.get_object(request, str(object_id))
        useful = USEFUL_BUTTONS[RuleStatus(rule.status)] if rule else ()
        return [action for action in offered if action.path in useful]

    # --- buttons ------------------------------------------------------------------------------------------------------

    @post_action(
        description="Activate",
        question="From now on this automation acts on what shoppers do, and sends mails.",
        permission="change",
        icon="play_arrow",
    )
    def activate(self, request: HttpRequest, rule: RemarketingRule) -> None:
        try:
            services.activate(rule=rule)
        except services.RuleNotReady as error:
            for problem in in_words(error.errors):
                messages.error(request, f"Not activated. {problem}")
        else:
            messages.success(request, f"“{rule}” is active.")

    @post_action(
        description="Pause",
        question="It starts nothing new, and what waits is skipped when it comes due.",
        permission="change",
        icon="pause",
    )
    def pause(self, request: HttpRequest, rule: RemarketingRule) -> None:
        services.pause(rule=rule)
        messages.success(request, f"“{rule}” is paused.")

    @post_action(
        description="Archive",
        question="It stops and moves out of the way; its results stay.",
        permission="change",
        icon="archive",
    )
    def archive(self, request: HttpRequest, rule: RemarketingRule) -> None:
        services.archive(rule=rule)
        messages.success(request, f"“{rule}” is archived.")

    @action(description="Add the five examples", url_path="add-examples", permissions=["add"], icon="auto_awesome")
    def add_examples(self, request: HttpRequest) -> HttpResponse:
        back = reverse("admin:remarketing_remarketingrule_changelist")
        project = getattr(request, "project", None)
        if project is None:
            raise PermissionDenied
        if request.method == "POST":
            added = add_examples(project, now=timezone.now())
            names = ", ".join(f"“{rule}”" for rule in added)
            messages.success(request, f"Added as drafts: {names}." if added else "The examples were there already.")
            return HttpResponseRedirect(back)
        question = (
            "Adds five automations as drafts, with their templates: leaving with interest, dead click, hesitating, "
            "back after silence, thank-you. Nothing is sent until you activate one."
        )
        context = {
            **self.admin_site.each_context(request),
            "title": "Add the five examples",
            "question": question,
            "submit_label": "Add the examples",
            "subject": "Five ready-made automations",
            "opts": self.opts,
            "back": back,
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)


def add_examples(project: Project, *, now: datetime) -> list[RemarketingRule]:
    """Add the ready-made automations that the store does not have yet, as drafts, and return these."""
    known = set(RemarketingRule.objects.filter(project=project).values_list("pk", flat=True))
    with transaction.atomic():
        templates = email_gallery.install(project=project, now=now)
        found = gallery.install(project=project, templates=templates, activate=False)
    return [rule for rule in found if rule.pk not in known]


def page_context(rule: RemarketingRule) -> dict[str, Any]:
    """Return what stands around the form: the automation in words, what keeps it from being activated, results."""
    now = timezone.now()
    activity = reverse("admin:remarketing_rulematch_changelist")
    return {
        "sentence": wording.rule_in_words(rule, list(rule.variants.all())),
        "open_problems": in_words(services.check_rule(rule, activating=True)),
        "measures_only": rule.action == RuleAction.MEASURE_ONLY,
        "periods": [with_bars(results.results(rule=rule, days=days, now=now)) for days in RESULT_DAYS],
        "activity_link": inside_link(f"{activity}?rule__id__exact={rule.pk}", "See every shopper it decided about"),
    }


def with_bars(found: results.Results) -> tuple[results.Results, list[tuple[str, SafeString, int]]]:
    """Return results and their reasons as (label, bar, count), the most frequent one's bar being full."""
    most = max((reason.count for reason in found.reasons), default=1)
    return found, [(reason.label, bar(reason.count / most), reason.count) for reason in found.reasons]


def in_words(errors: Sequence[services.FieldError]) -> list[str]:
    """Return what is wrong, each with the name that its field has on the page."""
    labels = {name: field.label for name, field in RuleForm.base_fields.items()} | {"variants": "Variations"}
    return [f"{labels.get(error.field, 'Automation')}: {error.message}" for error in errors]
