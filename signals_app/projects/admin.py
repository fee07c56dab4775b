"""Stores, their team and the keys of their programs."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from signals_app.core.admin import (
    CheckboxSelectMultiple,
    ProjectScopedAdmin,
    ProjectSingletonAdmin,
    Textarea,
    TextInput,
    display,
    post_action,
    take_over,
)
from signals_app.core.countries import country_code
from signals_app.core.display import ago, badge, lines
from signals_app.core.forms import LinesField, ModelForm
from signals_app.projects import services
from signals_app.projects.constants import ROLES_IN_WORDS, Role, Scope
from signals_app.projects.exceptions import LastOwner, SharedAccount
from signals_app.projects.models import ApiKey, Membership, Project, validate_domains, validate_scopes

CLOCK_RULES = (
    "Dates in segments and automations, such as “since 1 December”, begin at midnight on this clock. With another time "
    "zone they mean other moments, in what exists already as well."
)
CONSENT_RULES = (
    "A marketing mail leaves only to people who have agreed, or who have ordered in a country where you allow that. "
    "Whose country is not known counts as not allowed. Opens and clicks are tracked only of people who have agreed to it."
)


class CountriesField(forms.CharField):
    """Countries by code or English name, one a line or with commas between; kept as a list of codes."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, list):
            return value
        names = [name.strip() for name in re.split(r"[,;\n]", super().to_python(value) or "") if name.strip()]
        unknown = [name for name in names if not country_code(name)]
        if unknown:
            raise forms.ValidationError(f"Not a country: {', '.join(unknown)[:200]}. Write codes such as DE, AT, FR.")
        return sorted({country_code(name) for name in names})

    def validate(self, value: Any) -> None:
        """Let an empty list pass: it means nowhere."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(sorted(initial or []) != self.to_python(data or ""))
        except forms.ValidationError:
            return True


class ProjectForm(ModelForm[Project]):
    shop_domains = LinesField(
        label="Link domains",
        required=False,
        help_text="One a line, such as shop.example.com. Mails link only to these and to the shop address.",
        widget=Textarea(attrs={"rows": 3}),
    )

    soft_opt_in_countries = CountriesField(
        label="Soft opt-in in",
        required=False,
        help_text="Countries in which an order allows you to mail people who never said no, one a line or with commas: "
        "DE, AT, Switzerland. Empty: nowhere. Ask your lawyer first.",
        widget=Textarea(attrs={"rows": 2}),
    )

    class Meta:
        model = Project
        fields = (
            "name",
            "slug",
            "shop_url",
            "shop_domains",
            "time_zone",
            "currency",
            "intent_half_life_hours",
            "soft_opt_in_countries",
            "personalises_unless_refused",
        )

    def clean_shop_domains(self) -> list[str]:
        domains = [domain.lower() for domain in self.cleaned_data["shop_domains"]]
        validate_domains(domains)
        return domains


@admin.register(Project)
class ProjectAdmin(ProjectSingletonAdmin[Project]):
    """The settings of the current store. A new store is made by the site's administrator."""

    names_are_public = True
    project_path = "pk"
    form = ProjectForm
    fieldsets = (
        (None, {"fields": ("name", "slug", "shop_url", "shop_domains")}),
        ("Time and money", {"fields": ("time_zone", "currency"), "description": CLOCK_RULES}),
        ("Shoppers", {"fields": ("intent_half_life_hours",)}),
        ("Consent", {"fields": ("soft_opt_in_countries", "personalises_unless_refused"), "description": CONSENT_RULES}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        # Unlike other pages of a store, a second one may be made; the switcher leads to it.
        return self.changeform_view(request, None, form_url, extra_context)


class MembershipForm(ModelForm[Membership]):
    class Meta:
        model = Membership
        fields = ("role",)

    def clean_role(self) -> str:
        role: str = self.cleaned_data["role"]
        membership = self.instance
        owners = Membership.objects.filter(project=membership.project_id, role=Role.OWNER)
        if membership.role == Role.OWNER != role and not owners.exclude(pk=membership.pk).exists():
            raise forms.ValidationError("A store needs an owner: make somebody else an owner first.")
        return role


class InvitationForm(ModelForm[Membership]):
    email = forms.EmailField(label="E-mail", widget=TextInput(), help_text="They log in with it.", max_length=150)
    # Either half of it may have as many characters as an account keeps of a name.
    name = forms.CharField(label="Name", required=False, widget=TextInput(), max_length=150)

    class Meta:
        model = Membership
        fields = ("role",)

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        members = Membership.objects.filter(project=self.instance.project_id)
        if members.filter(user__username=email).exists() or members.filter(user__email__iexact=email).exists():
            raise forms.ValidationError("This person is in the team already.")
        return email


@admin.register(Membership)
class MembershipAdmin(ProjectScopedAdmin[Membership]):
    """Who may do what in the current store."""

    names_are_public = True
    list_display = ("person", "email", "role_badge", "last_login")
    list_display_links = ("person",)
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email", "user__first_name", "user__last_name")
    ordering = ("user__username", "pk")
    actions_detail = ("new_password",)
    actions = ()

    def get_form(self, request: HttpRequest, obj: Membership | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{**kwargs, "form": MembershipForm if obj else InvitationForm})

    def get_fieldsets(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        own = ("person", "email", "role", "last_login") if obj else ("email", "name", "role")
        roles = lines([f"{Role(role).label}: {may}" for role, may in ROLES_IN_WORDS.items()])
        return ((None, {"fields": own, "description": roles}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        return ("person", "email", "last_login") if obj else ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}  # removing people goes one by one, past the check for the last owner

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        if change:
            services.change_role(membership=obj, role=Role(form.cleaned_data["role"]))
            return
        made, password = services.invite_member(
            project=obj.project,
            email=form.cleaned_data["email"],
            name=form.cleaned_data["name"],
            role=Role(form.cleaned_data["role"]),
        )
        obj.pk, obj.user = made.pk, made.user
        obj._state.adding = False
        if password:
            messages.warning(request, f"First password of {obj.user}: {password} (it is shown this once).")
        else:
            messages.info(request, f"{obj.user} had an account and keeps its password.")

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_member(membership=obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except LastOwner as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(reverse("admin:projects_membership_changelist"))

    @display(description="Name", ordering="user__username")
    def person(self, obj: Membership) -> str:
        return obj.user.get_full_name() or obj.user.get_username()

    @display(description="E-mail", ordering="user__email")
    def email(self, obj: Membership) -> str:
        return obj.user.email or obj.user.get_username()

    @display(description="Role", ordering="role")
    def role_badge(self, obj: Membership) -> str:
        return badge(obj.get_role_display(), "info" if obj.role == Role.OWNER else "neutral")

    @display(description="Last login", ordering="user__last_login")
    def last_login(self, obj: Membership) -> str:
        return ago(obj.user.last_login)

    @post_action(
        description="New password",
        question="Their old password stops working at once. The new one is shown once: hand it over yourself.",
        permission="change",
        icon="lock_reset",
    )
    def new_password(self, request: HttpRequest, obj: Membership) -> None:
        try:
            password = services.reset_password(membership=obj)
        except SharedAccount as error:
            messages.error(request, str(error))
        else:
            messages.warning(request, f"New password of {obj.user}: {password} (it is shown this once).")


class ApiKeyForm(ModelForm[ApiKey]):
    scopes = forms.MultipleChoiceField(
        label="May",
        choices=Scope.choices,
        widget=CheckboxSelectMultiple(),
        initial=[Scope.READ],
        validators=[validate_scopes],
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(ProjectScopedAdmin[ApiKey]):
    """Keys of programs that use the REST API. The key itself is shown once, right after it was made."""

    names_are_public = True
    form = ApiKeyForm
    list_display = ("name", "prefix_shown", "scopes_shown", "state", "last_used")
    search_fields = ("name", "prefix")
    ordering = ("-created_at", "-pk")
    readonly_fields = ("prefix_shown", "scopes_shown", "state", "created_at", "last_used")
    actions_detail = ("revoke",)

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("name", "scopes", "expires_at")}),)
        shown = ("name", "prefix_shown", "scopes_shown", "state", "created_at", "expires_at", "last_used")
        return ((None, {"fields": shown}),)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        made, text = services.create_api_key(
            project=obj.project,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires_at=form.cleaned_data["expires_at"],
        )
        take_over(obj, made)
        request._new_api_key = text  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        # Shown on the answer itself: a message would write the key into the session.
        context = {
            **self.admin_site.each_context(request),
            "title": "New API key",
            "opts": self.opts,
            "key": request._new_api_key,  # type: ignore[attr-defined]
            "object": obj,
            "back": reverse("admin:projects_apikey_changelist"),
        }
        response = TemplateResponse(request, "admin/projects/new_api_key.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @display(description="Starts with")
    def prefix_shown(self, obj: ApiKey) -> str:
        return f"{obj.prefix}…"

    @display(description="May")
    def scopes_shown(self, obj: ApiKey) -> str:
        labels = dict(Scope.choices)
        return ", ".join(str(labels.get(scope, scope)) for scope in obj.scopes)

    @display(description="State")
    def state(self, obj: ApiKey) -> str:
        if obj.revoked_at:
            return badge("Revoked", "bad")
        if obj.expires_at and obj.expires_at <= timezone.now():
            return badge("Expired", "warn")
        return badge("Valid", "good")

    @display(description="Last used", ordering="last_used_at")
    def last_used(self, obj: ApiKey) -> str:
        return ago(obj.last_used_at)

    @post_action(
        description="Revoke",
        question="Programs that use this key are refused from now on. This cannot be undone.",
        permission="projects.revoke_apikey",
        icon="block",
    )
    def revoke(self, request: HttpRequest, obj: ApiKey) -> None:
        services.revoke_api_key(key=obj, now=timezone.now())
        messages.success(request, f"{obj.name} is revoked.")
