"""What the builder of conditions asks while a person edits: the count, a few names, problems, what a field looks like."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from signals_app.core.display import ago_in_words
from signals_app.core.time_limit import TookTooLong
from signals_app.customers.models import Customer
from signals_app.projects.models import Project
from signals_app.segments import fields, services
from signals_app.segments.fields import Scope, UnknownField
from signals_app.segments.forms import sentence_about, tree_in
from signals_app.segments.services import AudienceSample, CheckedTree
from signals_app.shopper_signals.constants import Stage

if TYPE_CHECKING:
    from signals_app.core.admin import ProjectScopedAdmin
    from signals_app.segments.models import Segment

    Base = ProjectScopedAdmin[Segment]
else:
    Base = object


TOO_BUSY = "Counting took too long just now. Change something or come back later to count again."


class EditingViews(Base):
    """Mixed into the segments' admin class: two addresses that answer the builder in JSON, for the current store."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("check/", wrap(self.check_view), name="segments_segment_check"),
            path("field/", wrap(self.field_view), name="segments_segment_field"),
            *super().get_urls(),
        ]

    def check_view(self, request: HttpRequest) -> HttpResponseBase:
        """Say what a posted tree means, what is wrong with it and, if it is about profiles, whom it holds for."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        project = self._project_to_read(request)
        try:
            tree, scope = tree_in(request.POST.get("tree", "")), Scope(request.POST.get("scope", Scope.PROFILE))
        except ValueError as error:
            return JsonResponse({"problems": [{"path": "", "message": str(error)}]}, status=400)
        now = timezone.now()
        try:
            checked = services.check_tree(project=project, tree=tree, scope=scope, now=now)
        except TookTooLong:
            return JsonResponse({"problems": [{"path": "", "message": TOO_BUSY}]})
        return JsonResponse(checked_answer(checked, now=now))

    def field_view(self, request: HttpRequest) -> HttpResponseBase:
        """Say how the values of one profile field are spread among the store's profiles."""
        project = self._project_to_read(request)
        try:
            field = fields.field(Scope.PROFILE, request.GET.get("name", ""))
        except UnknownField as error:
            raise Http404(str(error)) from error
        try:
            found, sample = services.field_distribution(project=project, field=field, now=timezone.now())
        except TookTooLong:
            return JsonResponse({"note": "Reading it took too long just now.", "bars": []})
        among = f"all {len(sample.ids):,}" if sample.is_everyone else f"{len(sample.ids):,} drawn from all"
        return JsonResponse(
            {
                "known": found.known,
                "isOrdered": found.is_ordered,
                "bars": [{"label": bar.label, "share": bar.share} for bar in found.bars],
                "note": f"Among {among} profiles" if sample.ids else "There are no profiles yet",
            }
        )

    def _project_to_read(self, request: HttpRequest) -> Project:
        project: Project | None = getattr(request, "project", None)
        may_read = self.has_view_permission(request) and request.user.has_perm("customers.view_customer")
        if project is None or not may_read:
            raise PermissionDenied
        return project


def checked_answer(checked: CheckedTree, *, now: datetime) -> dict[str, Any]:
    return {
        "sentence": checked.sentence,
        "problems": [{"path": problem.path, "message": sentence_about(problem)} for problem in checked.problems],
        "shares": dict(checked.shares),
        "audience": None if checked.audience is None else audience_answer(checked.audience, now=now),
    }


def audience_answer(audience: AudienceSample, *, now: datetime) -> dict[str, Any]:
    ids = [customer.pk for customer in audience.customers]
    values = services.profile_values(customer_ids=ids, names=("intent_score", "stage"), now=now)
    return {
        "count": audience.count,
        "isExact": audience.is_exact,
        "text": count_text(audience.count, is_exact=audience.is_exact),
        "profiles": [_profile_answer(customer, values.get(customer.pk, {}), now) for customer in audience.customers],
    }


def count_text(count: int, *, is_exact: bool) -> str:
    return f"{count:,}" if is_exact else f"about {count:,}"


def _profile_answer(customer: Customer, values: dict[str, Any], now: datetime) -> dict[str, str]:
    score, stage = values.get("intent_score"), values.get("stage")
    return {
        "name": str(customer),
        "url": reverse("admin:customers_customer_change", args=[customer.pk]),
        "stage": Stage(stage).label if stage else "–",
        "score": "–" if score is None else f"{score:.0f}",
        "lastSeen": ago_in_words(seen, now=now).replace("\xa0", " ") if (seen := customer.last_seen_at) else "–",
    }
