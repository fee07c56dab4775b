"""Profiles in the admin: the list, the page of one shopper and what a person may do there."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from insightarc_crm import identity_pages, profile_list, profile_page, profile_story
from insightarc_crm.erasures import erase_and_report
from insightarc_crm.profile_list import ConsentFilter, OrderedFilter, ProfileChangeList, SegmentFilter
from insightarc_crm.stages import STAGE_TONES
from signals_app.core.admin import (
    ChoicesFilter,
    DateTimeRangeFilter,
    NumberRangeFilter,
    ProjectScopedAdmin,
    ReadOnlyAdmin,
    display,
    note_form_errors,
    post_action,
)
from signals_app.core.display import ago, badge, meter
from signals_app.customers import services as customer_services
from signals_app.customers.exceptions import InvalidInput
from signals_app.customers.forms import ConsentForm
from signals_app.customers.models import Customer
from signals_app.emails import services as email_services
from signals_app.emails.constants import SuppressionReason
from signals_app.projects.saved_views import SavedViewsAdmin


@admin.register(Customer)
class ProfileAdmin(SavedViewsAdmin, ReadOnlyAdmin, ProjectScopedAdmin[Customer]):
    when_empty = "Shoppers stand here as soon as a signal, an order, an import or a page of the shop names them."
    list_display = ("name_and_email", "stage", "score", "interest", "consent", "seen")
    list_display_links = ("name_and_email",)
    list_filter = (
        ("intent_profile__stage", ChoicesFilter),
        ("intent_profile__intent_score", NumberRangeFilter),
        ConsentFilter,
        OrderedFilter,
        SegmentFilter,
        ("last_seen_at", DateTimeRangeFilter),
    )
    list_select_related = ("intent_profile",)
    search_fields = ("email", "external_id", "name")
    search_help_text = "Known ID in full, or the start of e-mail or name"
    ordering = ("-last_seen_at", "-id")
    actions_detail = ("suppress", "lift_suppression", "erase")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ProfileChangeList]:
        return ProfileChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        """Find a shopper by any known ID in full, or by the beginning of an e-mail address or a name."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(pk__in=profile_list.found(project=getattr(request, "project", None), term=term)), False

    @display(description="Profile")
    def name_and_email(self, obj: Customer) -> str:
        name = str(obj)
        second = next((each for each in (obj.email, obj.external_id) if each and each != name), "")
        return format_html('<span class="crm-name">{}</span><span class="crm-quiet crm-block">{}</span>', name, second)

    @display(description="Stage")
    def stage(self, obj: Customer) -> str:
        profile = getattr(obj, "intent_profile", None)
        return badge(profile.get_stage_display(), STAGE_TONES.get(profile.stage, "neutral")) if profile else "–"

    @display(description="Intent", ordering="intent_profile__intent_score")
    def score(self, obj: Customer) -> str:
        profile = getattr(obj, "intent_profile", None)
        return meter(profile.intent_score) if profile else "–"

    @display(description="Top interest")
    def interest(self, obj: Customer) -> str:
        return format_html('<span class="crm-clip crm-block">{}</span>', getattr(obj, "top_interest", "") or "–")

    @display(description="Consent")
    def consent(self, obj: Customer) -> str:
        if obj.marketing_consent is None:
            return badge("Never asked")
        return badge("Granted", "good") if obj.marketing_consent else badge("Denied", "bad")

    @display(description="Last seen", ordering="last_seen_at")
    def seen(self, obj: Customer) -> str:
        return ago(obj.last_seen_at)

    def get_urls(self) -> list[URLPattern]:
        own: list[URLPattern] = [
            path(
                "<uuid:object_id>/consent/",
                self.admin_site.admin_view(self.record_consent),
                name="customers_customer_consent",
            ),
            path(
                "<uuid:object_id>/export/",
                self.admin_site.admin_view(self.download),
                name="customers_customer_download",
            ),
        ]
        return own + identity_pages.urls(self) + super().get_urls()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.get_object(request, object_id) is None and (current := identity_pages.current_id(request, object_id)):
            return HttpResponseRedirect(reverse("admin:customers_customer_change", args=[current]))
        customer = self._own(request, object_id)
        now = timezone.now()
        if request.GET.get("part") == "timeline":
            # Scripts that add the older entries below want these and nothing else of the page.
            story = profile_story.build(customer=customer, asked=request.GET, now=now)
            return TemplateResponse(request, "admin/customers/profile_timeline.html", story)
        parts = profile_page.build(customer=customer, asked=request.GET, now=now)
        context = {
            **self.admin_site.each_context(request),
            **parts,
            "title": str(customer),
            "opts": self.opts,
            "object": customer,
            "original": customer,
            "may_record_consent": self.may(request, "customers.record_consent")
            and bool(customer.email or customer.external_id),
            "may_explain": self.may(request, "remarketing.explain_match"),
            "consent_form": ConsentForm(),
            "buttons": self._buttons(request, customer, is_suppressed=bool(parts["suppressions"])),
            "identity_links": identity_pages.links_to(request, customer),
            "shared_ids": identity_pages.shared_ids(customer),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/customers/profile.html", context)

    def _own(self, request: HttpRequest, object_id: Any) -> Customer:
        customer = self.get_object(request, str(object_id))
        if customer is None:
            raise Http404("There is no such profile in this store.")
        if not self.has_view_permission(request, customer):
            raise PermissionDenied
        return customer

    def _buttons(self, request: HttpRequest, customer: Customer, *, is_suppressed: bool) -> list[dict[str, str]]:
        """Return what a person may do with the profile, and where."""
        offered = (
            ("Stop all mails", "suppress", "emails.add_suppression", bool(customer.email) and not is_suppressed),
            ("Let mails go out again", "lift_suppression", "emails.delete_suppression", is_suppressed),
            ("Download everything", "download", "customers.export_customer", True),
            ("Erase", "erase", "customers.erase_customer", True),
        )
        return [
            {"title": title, "link": reverse(f"admin:customers_customer_{view}", args=[customer.pk]), "name": view}
            for title, view, permission, is_offered in offered
            if is_offered and self.may(request, permission)
        ]

    def record_consent(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """Record what the shopper told a person, as that person's word."""
        customer = self._own(request, object_id)
        if not self.may(request, "customers.record_consent"):
            raise PermissionDenied
        back = HttpResponseRedirect(reverse("admin:customers_customer_change", args=[customer.pk]))
        if request.method != "POST":
            return back
        form = ConsentForm(request.POST)
        if not form.is_valid():
            note_form_errors(request, form)
            return back
        try:
            customer_services.record_consent_by_hand(
                customer=customer, **form.said(), by=request.user.get_username(), now=timezone.now()
            )
        except InvalidInput as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Consent recorded.")
        return back

    def download(self, request: HttpRequest, object_id: Any) -> HttpResponseBase:
        """Return everything kept about the shopper as one ZIP, made while it is sent; its name says nothing."""
        customer = self._own(request, object_id)
        if not self.may(request, "customers.export_customer"):
            raise PermissionDenied
        headers = {
            "Content-Disposition": f'attachment; filename="personal-data-{customer.pk}.zip"',
            "Cache-Control": "no-store",
        }
        archive = customer_services.archive_of(customer=customer, now=timezone.now())
        return StreamingHttpResponse(archive, content_type="application/zip", headers=headers)

    @post_action(
        description="Stop all mails",
        question="No address of this shopper gets any mail from this store any more, whatever they agreed to.",
        permission="emails.add_suppression",
        icon="block",
    )
    def suppress(self, request: HttpRequest, obj: Customer) -> None:
        addresses = email_services.addresses_of(obj)
        for address in addresses:
            email_services.suppress(
                project=obj.project,
                email=address,
                reason=SuppressionReason.MANUAL,
                source=f"added by {request.user}",
                now=timezone.now(),
            )
        if addresses:
            messages.success(request, "This shopper gets no more mails.")
        else:
            messages.info(request, "No e-mail address is known, so there is nothing to stop.")

    @post_action(
        description="Let mails go out again",
        question="Mails may go to this shopper again, as far as they have agreed to them. If they unsubscribed or "
        "complained, do this only when they asked for it.",
        permission="emails.delete_suppression",
        icon="mark_email_read",
    )
    def lift_suppression(self, request: HttpRequest, obj: Customer) -> None:
        entries = email_services.suppressions_of(customer=obj)
        lifted = sum(email_services.lift_suppression(project=obj.project, email=entry.email) for entry in entries)
        if lifted:
            messages.success(request, "Mails may go to this shopper again, as far as there is consent.")
        else:
            messages.info(request, "Mails to this shopper were not stopped.")

    @post_action(
        description="Erase",
        question="Everything kept about this shopper is deleted: signals, raw requests, mails, orders, consents. They "
        "get no mail from this moment on, and a replay or an import does not bring them back. This cannot be undone.",
        permission="customers.erase_customer",
        icon="delete_forever",
    )
    def erase(self, request: HttpRequest, obj: Customer) -> HttpResponse:
        return erase_and_report(request, obj)
