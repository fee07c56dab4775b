"""Profiles in the admin: the list, the page of one shopper and what a person may do there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html

from insightarc_crm import identity_pages, profile_page
from insightarc_crm.erasures import erase_and_report
from insightarc_crm.interests import top_interest_labels
from insightarc_crm.stages import STAGE_TONES
from signals_app.core.admin import (
    ChoicesFilter,
    DateTimeRangeFilter,
    NumberRangeFilter,
    ProjectScopedAdmin,
    RadioSelect,
    ReadOnlyAdmin,
    TextInput,
    display,
    note_form_errors,
    post_action,
)
from signals_app.core.changelist import QuickChangeList
from signals_app.core.display import ago, badge, meter
from signals_app.customers import services as customer_services
from signals_app.customers.constants import Channel, IdentifierKind, Topic
from signals_app.customers.models import Consent, Customer, Identifier


class ConsentFilter(admin.SimpleListFilter):
    """Profiles who may be mailed, as the newest answers of their known IDs say."""

    title = "marketing consent"
    parameter_name = "consent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("granted", "Granted"), ("denied", "Denied"), ("none", "Never asked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        asked = Consent.objects.filter(
            identifier__customer=OuterRef("pk"), channel=Channel.EMAIL, topic=Topic.MARKETING
        )
        if self.value() == "granted":  # where known IDs disagree, the no counts
            return queryset.filter(Exists(asked.filter(is_granted=True)), ~Exists(asked.filter(is_granted=False)))
        if self.value() == "denied":
            return queryset.filter(Exists(asked.filter(is_granted=False)))
        if self.value() == "none":
            return queryset.filter(~Exists(asked))
        return queryset


class ProfileChangeList(QuickChangeList):
    """The page's rows with their top interest and consent, in two queries for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        customers = list(self.result_list)
        ids = [customer.pk for customer in customers]
        project = getattr(request, "project", None)
        labels = top_interest_labels(project=project, customer_ids=ids) if project else {}
        consents = customer_services.consents_of(ids)
        for customer in customers:
            customer.top_interest = labels.get(customer.pk, "")
            customer.marketing = consents.get(customer.pk, {}).get("email.marketing")
        self.result_list = customers


class ConsentForm(forms.Form):
    granted = forms.ChoiceField(
        label="The shopper", choices=[("yes", "agreed"), ("no", "refused")], widget=RadioSelect()
    )
    source = forms.CharField(
        label="Where and when they said so", max_length=80, widget=TextInput(), help_text="Such as: by phone, 3 May."
    )


@admin.register(Customer)
class ProfileAdmin(ReadOnlyAdmin, ProjectScopedAdmin[Customer]):
    list_display = ("name_and_email", "stage", "score", "interest", "consent", "seen")
    list_display_links = ("name_and_email",)
    list_filter = (
        ("intent_profile__stage", ChoicesFilter),
        ("intent_profile__intent_score", NumberRangeFilter),
        ConsentFilter,
        ("last_seen_at", DateTimeRangeFilter),
    )
    list_select_related = ("intent_profile",)
    search_fields = ("email", "external_id", "name")
    search_help_text = "Name, e-mail, customer ID, or any known ID in full"
    ordering = ("-last_seen_at", "-id")
    actions_detail = ("erase",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[QuickChangeList]:
        return ProfileChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        """Find a shopper by any known ID in full, by the beginning of an e-mail, or by a part of the name."""
        term = search_term.strip()
        if not term:
            return queryset, False
        known = Identifier.objects.filter(project=getattr(request, "project", None), value__in={term, term.lower()})
        by_id = set(known.values_list("customer_id", flat=True)[:100])
        if by_id:
            return queryset.filter(pk__in=by_id), False
        words = Q(email__istartswith=term)
        if "@" not in term:
            words |= Q(name__icontains=term)
        return queryset.filter(words), False

    @display(description="Profile", ordering="name")
    def name_and_email(self, obj: Customer) -> str:
        name = str(obj)
        second = next((each for each in (obj.email, obj.external_id) if each and each != name), "")
        return format_html('<span class="crm-name">{}</span><span class="crm-quiet crm-block">{}</span>', name, second)

    @display(description="Stage", ordering="intent_profile__stage")
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
        granted = getattr(obj, "marketing", None)
        if granted is None:
            return badge("Never asked")
        return badge("Granted", "good") if granted else badge("Denied", "bad")

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
        if now := self.get_object(request, object_id) is None and identity_pages.current_id(request, object_id):
            return HttpResponseRedirect(reverse("admin:customers_customer_change", args=[now]))
        customer = self._own(request, object_id)
        before = parse_before(request.GET.get("before", ""))
        context = {
            **self.admin_site.each_context(request),
            **profile_page.build(customer=customer, before=before),
            "title": str(customer),
            "opts": self.opts,
            "object": customer,
            "original": customer,
            "may_record_consent": self.may(request, "customers.record_consent") and bool(customer.email),
            "consent_form": ConsentForm(),
            "buttons": self._buttons(request, object_id),
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

    def _buttons(self, request: HttpRequest, object_id: str) -> list[dict[str, str]]:
        buttons = []
        if self.may(request, "customers.export_customer"):
            link = reverse("admin:customers_customer_download", args=[object_id])
            buttons.append({"title": "Export data", "link": link, "variant": "default"})
        if self.may(request, "customers.erase_customer"):
            link = reverse("admin:customers_customer_erase", args=[object_id])
            buttons.append({"title": "Erase", "link": link, "variant": "default"})
        return buttons

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
        elif not customer.email:
            messages.error(request, "Without an e-mail address there is nothing to consent to.")
        else:
            customer_services.record_consent(
                project=customer.project,
                identifiers={IdentifierKind.EMAIL.value: customer.email},
                granted=form.cleaned_data["granted"] == "yes",
                source=f"{form.cleaned_data['source']} ({request.user.get_username()})",
                now=timezone.now(),
            )
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
        description="Erase",
        question="Everything kept about this shopper is deleted: signals, raw requests, mails, orders, consents. They "
        "get no mail from this moment on, and a replay or an import does not bring them back. This cannot be undone.",
        permission="customers.erase_customer",
        icon="delete_forever",
    )
    def erase(self, request: HttpRequest, obj: Customer) -> HttpResponse:
        return erase_and_report(request, obj)


def parse_before(text: str) -> datetime | None:
    """Return the moment an older page of the timeline begins at; None for anything that is not one."""
    try:
        moment = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return moment if moment is not None and timezone.is_aware(moment) else None
