"""Needs fixing: signed requests that could not be processed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from signals_app.core.admin import (
    DateTimeRangeFilter,
    ProjectScopedAdmin,
    ReadOnlyAdmin,
    action,
    display,
    post_action,
)
from signals_app.core.display import ago, badge, inside_link, lines
from signals_app.webhooks import problems, services
from signals_app.webhooks.admin.needs_fixing_filters import (
    ProblemFilter,
    ShownFilter,
    problem_counts,
    selection_in_words,
    selection_of,
)
from signals_app.webhooks.admin.replaying import number_in_words, raw_body, replay_with_message, start_replays
from signals_app.webhooks.constants import InboxState, Problem, ReplayState
from signals_app.webhooks.models import InboxItem, ReplayRun, WebhookDelivery

SHOWN_IN_LIST = 160
TONES = {Problem.GAVE_UP: "bad", Problem.WORKER_ENDED: "bad"}


@admin.register(InboxItem)
class NeedsFixingAdmin(ReadOnlyAdmin, ProjectScopedAdmin[InboxItem]):
    """Signed requests that could not be processed: nothing is lost, each can be replayed after the fix."""

    when_empty = "Signals that could not be read wait here. It is good that there are none."
    project_path = "source__project"
    list_display = ("received", "reason", "tried")
    list_display_links = ("received",)
    list_filter = (ProblemFilter, ShownFilter, ("delivery__received_at", DateTimeRangeFilter), "source")
    list_select_related = ("delivery",)
    list_before_template = "admin/webhooks/needs_fixing_summary.html"
    search_fields = ("error",)
    search_help_text = "Words of the reason"
    ordering = ("-pk",)
    fieldsets = (
        (None, {"fields": ("received", "what_is_wrong", "what_to_do", "tried", "state_in_words", "source", "in_log")}),
        ("As it came", {"fields": ("raw",)}),
    )
    actions = ("replay_selected", "set_aside_selected", "bring_back_selected")
    actions_detail = ("replay", "set_aside", "bring_back")

    def get_readonly_fields(self, request: HttpRequest, obj: InboxItem | None = None) -> Any:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxItem]:
        shown = (InboxState.QUARANTINED, InboxState.SET_ASIDE)
        return super().get_queryset(request).filter(state__in=shown).defer("delivery__body")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[InboxItem], search_term: str
    ) -> tuple[QuerySet[InboxItem], bool]:
        # Whole, not word by word: the replay of all that match looks for the same.
        text = selection_of(request.GET, now=timezone.now()).error_text
        return (queryset.filter(error__icontains=text) if text else queryset), False

    def get_list_display(self, request: HttpRequest) -> Any:
        if ShownFilter.parameter_name in request.GET:
            return ("received", "reason", "state_in_words")
        return self.list_display

    def get_actions(self, request: HttpRequest) -> Any:
        hidden = "set_aside_selected" if ShownFilter.parameter_name in request.GET else "bring_back_selected"
        return {name: each for name, each in super().get_actions(request).items() if name != hidden}

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "webhooks.replay")

    def offers(self, request: HttpRequest, button: str, object_id: Any) -> bool:
        item = self.get_object(request, str(object_id))
        is_aside = item is not None and item.state == InboxState.SET_ASIDE
        return not (button.endswith("_set_aside") and is_aside) and not (
            button.endswith("_bring_back") and not is_aside
        )

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = path("replay-matching/", wrap(self.replay_matching), name="webhooks_inboxitem_replay_matching")
        return [own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        project = getattr(request, "project", None)
        context = {
            "counts": problem_counts(project, request) if project else [],
            "may_replay": self.has_replay_permission(request),
            "replay_matching": f"{reverse('admin:webhooks_inboxitem_replay_matching')}?{request.GET.urlencode()}",
            "is_aside": ShownFilter.parameter_name in request.GET,
            "runs": ReplayRun.objects.filter(source__project=project, state=ReplayState.RUNNING).order_by("-pk")[:3],
        }
        return super().changelist_view(request, context | (extra_context or {}))

    @display(description="Received", ordering="pk")
    def received(self, obj: InboxItem) -> str:
        return ago(obj.delivery.received_at)

    @display(description="What is wrong", ordering="error")
    def reason(self, obj: InboxItem) -> SafeString:
        return self.what_is_wrong(obj, at_most=SHOWN_IN_LIST)

    @display(description="What is wrong")
    def what_is_wrong(self, obj: InboxItem, at_most: int = 1_000) -> SafeString:
        problem = problems.problem_of(obj.error)
        return format_html(
            '<div class="crm-problem">{}<div>{}</div></div>',
            badge(problem.label, TONES.get(problem, "warn")),
            Truncator(obj.error or "No reason was noted.").chars(at_most),
        )

    @display(description="What to do")
    def what_to_do(self, obj: InboxItem) -> str:
        return problems.WHAT_TO_DO[problems.problem_of(obj.error)]

    @display(description="Tried", ordering="attempts")
    def tried(self, obj: InboxItem) -> SafeString | str:
        times = "not yet" if not obj.attempts else "once" if obj.attempts == 1 else f"{obj.attempts} times"
        if not obj.replays:
            return times
        often = "Replayed" if obj.replays == 1 else f"Replayed {obj.replays:,} times, last"
        return lines([times, format_html("{} {}: came back", often, ago(obj.replayed_at))])

    @display(description="State")
    def state_in_words(self, obj: InboxItem) -> SafeString | str:
        if obj.state != InboxState.SET_ASIDE:
            return badge(obj.get_state_display(), "bad")
        by = obj.set_aside_by or "somebody"
        return lines([badge("Set aside"), format_html("by {} {}", by, ago(obj.set_aside_at))])

    @display(description="Incoming log")
    def in_log(self, obj: InboxItem) -> str:
        return inside_link(_log_entry(obj), "Entry")

    @display(description="Body")
    def raw(self, obj: InboxItem) -> str:
        return raw_body(bytes(obj.delivery.body))

    @action(description="Replay", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[InboxItem]) -> HttpResponse | None:
        if request.POST.get("select_across") == "1":  # as many as match: not in this request
            if ShownFilter.parameter_name in request.GET:  # somebody decided about these, one by one
                messages.error(request, "Bring them back first; what needs fixing can be replayed all at once.")
                return None
            matching = reverse("admin:webhooks_inboxitem_replay_matching")
            return HttpResponseRedirect(f"{matching}?{request.GET.urlencode()}")
        pks = list(queryset.values_list("pk", flat=True))
        replay_with_message(request, list(WebhookDelivery.objects.filter(pk__in=pks).defer("body")))
        return None

    @action(description="Set aside", permissions=["replay"])
    def set_aside_selected(self, request: HttpRequest, queryset: QuerySet[InboxItem]) -> None:
        count = services.set_aside(items=queryset, by=request.user.get_username(), now=timezone.now())
        messages.success(request, f"{count:,} set aside. Their bytes stay in the incoming log.")

    @action(description="Bring back", permissions=["replay"])
    def bring_back_selected(self, request: HttpRequest, queryset: QuerySet[InboxItem]) -> None:
        messages.success(request, f"{services.bring_back(items=queryset):,} back on the list.")

    @post_action(
        description="Replay",
        question="It is processed again, with the settings of now. Whatever it did before is not done twice.",
        permission="webhooks.replay",
        icon="replay",
    )
    def replay(self, request: HttpRequest, obj: InboxItem) -> HttpResponse:
        replay_with_message(request, [obj.delivery])
        return HttpResponseRedirect(_log_entry(obj))  # where its signal will be

    @post_action(
        description="Set aside",
        question="It leaves this list and its bytes stay in the incoming log. It can be brought back.",
        permission="webhooks.replay",
        icon="inventory_2",
    )
    def set_aside(self, request: HttpRequest, obj: InboxItem) -> HttpResponse:
        self.set_aside_selected(request, InboxItem.objects.filter(pk=obj.pk))
        return HttpResponseRedirect(reverse("admin:webhooks_inboxitem_changelist"))

    @post_action(
        description="Bring back",
        question="It stands on the list of what needs fixing again.",
        permission="webhooks.replay",
        icon="undo",
    )
    def bring_back(self, request: HttpRequest, obj: InboxItem) -> None:
        self.bring_back_selected(request, InboxItem.objects.filter(pk=obj.pk))

    def replay_matching(self, request: HttpRequest) -> HttpResponse:
        """Ask, with their number, whether to replay all that the list's filters leave; then start it."""
        if getattr(request, "project", None) is None or not self.has_replay_permission(request):
            raise PermissionDenied
        now, back = timezone.now(), reverse("admin:webhooks_inboxitem_changelist")
        selection, source_id = selection_of(request.GET, now=now), request.GET.get("source__id__exact", "")
        sources = request.project.webhook_sources.all()  # type: ignore[attr-defined]
        chosen = [each for each in sources if not source_id or str(each.pk) == source_id]
        count = sum(services.count_selected(source=each, selection=selection) for each in chosen)
        if not count:
            messages.info(request, "Nothing that needs fixing matches.")
            return HttpResponseRedirect(back)
        if request.method == "POST":
            return start_replays(request, selection, str(chosen[0].pk) if source_id else "")
        context = {
            **self.admin_site.each_context(request),
            "title": "Replay all that match",
            "subject": f"{number_in_words(count)}: {selection_in_words(selection)}".capitalize(),
            "question": "They are processed again, the oldest first, with the settings of now. What comes in meanwhile "
            "does not wait for it, and whatever they did before is not done twice. Mails that are too late by now are "
            "not sent.",
            "submit_label": "Replay them",
            "opts": self.opts,
            "back": f"{back}?{request.GET.urlencode()}",
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)


def _log_entry(item: InboxItem) -> str:
    return reverse("admin:webhooks_webhookdelivery_change", args=[item.pk])
