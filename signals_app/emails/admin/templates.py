"""Templates: written here, seen at once as a phone and a desktop would show them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from signals_app.core.admin import HistoricalAdmin, Textarea, display, post_action
from signals_app.core.display import ago
from signals_app.customers.models import LAST_SEEN_FIRST, Customer
from signals_app.emails import rendering, services
from signals_app.emails.admin.frames import STYLES, frames
from signals_app.emails.constants import MessageState
from signals_app.emails.exceptions import TemplateError
from signals_app.emails.models import EmailTemplate
from signals_app.emails.rendering import Rendered
from signals_app.projects.models import Project

if TYPE_CHECKING:
    TemplateModelForm = forms.ModelForm[EmailTemplate]
else:
    TemplateModelForm = forms.ModelForm  # generic for the type checker only

PROFILES_OFFERED = 30
FIELD_LABELS = {"subject": "Subject", "preheader": "Preheader", "mjml": "Content"}
STARTER = """<mjml>
  <mj-body>
    <mj-section>
      <mj-column>
        <mj-text font-size="20px">Hello{% if customer.first_name %} {{ customer.first_name }}{% endif %}</mj-text>
        <mj-text>What you wanted to say.</mj-text>
        <mj-button href="{{ shop.url }}">To the shop</mj-button>
      </mj-column>
    </mj-section>
    <mj-section>
      <mj-column>
        <mj-text font-size="12px" color="#666666">
          {{ sender.name }}, {{ sender.postal_address }}<br />
          <a href="{{ unsubscribe_url }}">Unsubscribe</a>
        </mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""


class EmailTemplateForm(TemplateModelForm):
    mjml = forms.CharField(
        label="Content (MJML with Liquid)",
        strip=False,
        initial=STARTER,
        widget=Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "mjml-source", "wrap": "off"}),
    )

    class Meta:
        model = EmailTemplate
        fields = ("name", "subject", "preheader", "mjml", "coupon_pool")

    def clean_mjml(self) -> str:
        # Browsers send line ends as \\r\\n: saved untouched, a template must stay as it is.
        return str(self.cleaned_data["mjml"]).replace("\r\n", "\n")

    def full_clean(self) -> None:
        super().full_clean()
        if not self.is_bound or self.errors:
            return
        for field, problems in services.template_problems(self.instance).items():
            for problem in problems:
                self.add_error(field if field in self.fields else None, problem)


@admin.register(EmailTemplate)
class EmailTemplateAdmin(HistoricalAdmin[EmailTemplate]):
    names_are_public = True
    form = EmailTemplateForm
    list_display = ("name", "subject", "used_by", "changed")
    search_fields = ("name", "subject")
    ordering = ("name",)
    actions_detail = ("duplicate",)
    change_form_after_template = "admin/emails/template_preview.html"
    change_form_outer_after_template = "admin/emails/template_tools.html"

    class Media:
        css = {"all": ["emails/mails.css"]}
        js = ["emails/preview.js"]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("preview/", wrap(self.preview_view), name="emails_emailtemplate_preview"),
            path("<path:object_id>/send-test/", wrap(self.send_test_view), name="emails_emailtemplate_send_test"),
            *super().get_urls(),
        ]

    @display(description="Used by")
    def used_by(self, template: EmailTemplate) -> str:
        names = sorted({str(variant.rule) for variant in template.variants.all()})
        return ", ".join(names) or "–"

    @display(description="Changed", ordering="updated_at")
    def changed(self, template: EmailTemplate) -> SafeString | str:
        return ago(template.updated_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmailTemplate]:
        return super().get_queryset(request).prefetch_related("variants__rule")

    def save_model(self, request: HttpRequest, obj: EmailTemplate, form: Any, change: bool) -> None:
        services.save_template(obj)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        project: Project | None = getattr(request, "project", None)
        context = {
            "preview_profiles": offered_profiles(project) if project else [],
            "preview_url": reverse("admin:emails_emailtemplate_preview"),
            "variables": list(variables_help()),
            "may_send_test": object_id is not None and request.user.has_perm("emails.send_test"),
            "test_address": getattr(request.user, "email", ""),
        }
        return super().changeform_view(request, object_id, form_url, context | (extra_context or {}))

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Fill in what is being written, with a real profile if one is chosen; nothing is saved or sent."""
        project: Project | None = getattr(request, "project", None)
        if request.method != "POST" or project is None or not self.has_view_permission(request):
            raise PermissionDenied
        found = preview_of(request, project)
        shown = frames(found.mail) if found.mail else []
        subject = found.mail.subject if found.mail else ""
        if request.headers.get("accept") == "application/json":
            document = shown[0].document if shown else ""
            return JsonResponse({"subject": subject, "html": document, "problems": found.problems})
        context = {
            **self.admin_site.each_context(request),
            "title": "Preview",
            "opts": self.opts,
            "media": STYLES,
            "subject": subject,
            "problems": found.problems,
            "frames": shown,
            "text": found.mail.text if found.mail else "",
        }
        return TemplateResponse(request, "admin/emails/preview_page.html", context)

    def send_test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send the saved template once to an address, marked as a test."""
        template = self.get_object(request, object_id)
        if template is None:
            raise Http404(f"There is no template {object_id!r} in this store.")
        if request.method != "POST" or not request.user.has_perm("emails.send_test"):
            raise PermissionDenied
        try:
            address = forms.EmailField(max_length=255).clean(request.POST.get("address", ""))
        except forms.ValidationError as error:
            messages.error(request, f"Send test, address: {' '.join(error.messages)}")
        else:
            customer = chosen_profile(request.POST.get("preview_profile", ""), template.project)
            report_test(request, template, address, customer)
        return HttpResponseRedirect(reverse("admin:emails_emailtemplate_change", args=[template.pk]))

    @post_action(
        description="Duplicate",
        question="Makes a copy with “(copy)” after its name; the original stays as it is.",
        permission="add",
        icon="content_copy",
    )
    def duplicate(self, request: HttpRequest, template: EmailTemplate) -> HttpResponse:
        copy = services.save_template(
            EmailTemplate(
                project=template.project,
                name=free_name(template),
                subject=template.subject,
                preheader=template.preheader,
                mjml=template.mjml,
                coupon_pool=template.coupon_pool,
            )
        )
        messages.success(request, f"“{copy}” is a copy of “{template}”.")
        return HttpResponseRedirect(reverse("admin:emails_emailtemplate_change", args=[copy.pk]))


def report_test(request: HttpRequest, template: EmailTemplate, address: str, customer: Customer | None) -> None:
    """Send the test and say what became of it."""
    try:
        outcome = services.send_test(template=template, to_email=address, customer=customer, now=timezone.now())
    except TemplateError as error:
        messages.error(request, f"The test was not sent. {error}")
        return
    if outcome.state == MessageState.SENT:
        messages.success(request, f"Test sent to {address}.")
    else:
        messages.error(request, f"The test was not sent. {outcome.detail}")


def free_name(template: EmailTemplate) -> str:
    """Return a name for a copy that no template of the store has yet."""
    taken = set(EmailTemplate.objects.filter(project=template.project_id).values_list("name", flat=True))
    numbered = (f"{template.name[:85]} (copy{f' {number}' if number > 1 else ''})" for number in range(1, 10_000))
    return next(name for name in numbered if name not in taken)


def offered_profiles(project: Project) -> list[Customer]:
    """Return the profiles seen last, those with an e-mail address: whom a mail could go to."""
    known = Customer.objects.filter(~Q(email=""), project=project)
    return list(known.order_by(*LAST_SEEN_FIRST)[:PROFILES_OFFERED])


def chosen_profile(said: str, project: Project) -> Customer | None:
    try:
        return Customer.objects.filter(project=project, pk=uuid.UUID(said)).first()
    except ValueError:
        return None


class Preview(NamedTuple):
    """What the form holds as a mail, if it makes one, and its problems: [{"field", "label", "message"}]."""

    mail: Rendered | None
    problems: list[dict[str, str]]


def preview_of(request: HttpRequest, project: Project) -> Preview:
    template = EmailTemplate(
        project=project,
        subject=request.POST.get("subject", ""),
        preheader=request.POST.get("preheader", ""),
        mjml=request.POST.get("mjml", ""),
    )
    problems = [
        {"field": field, "label": FIELD_LABELS.get(field, field), "message": message}
        for field, found in services.template_problems(template).items()
        for message in found
    ]
    shown: Rendered | None = None
    try:
        customer = chosen_profile(request.POST.get("preview_profile", ""), project)
        shown = services.preview(template=template, customer=customer, now=timezone.now())
    except TemplateError as error:
        problems = problems or [{"field": "mjml", "label": FIELD_LABELS["mjml"], "message": str(error)}]
    return Preview(shown, problems)


def variables_help() -> Iterator[tuple[str, str]]:
    """Yield every variable with an example, as (what to write, example)."""
    for name, example in rendering.VARIABLES.items():
        if isinstance(example, Mapping):
            yield from ((f"{{{{ {name}.{key} }}}}", _example(value)) for key, value in example.items())
        elif isinstance(example, list) and example and isinstance(example[0], Mapping):
            loop = f"{{% for item in {name} %}}"
            yield from ((f"{loop} {{{{ item.{key} }}}}", _example(value)) for key, value in example[0].items())
        elif isinstance(example, list):
            yield f"{{{{ {name} | join: ', ' }}}}", ", ".join(map(str, example))
        else:
            yield f"{{{{ {name} }}}}", str(example)


def _example(value: Any) -> str:
    return "a list" if isinstance(value, list) else str(value)
