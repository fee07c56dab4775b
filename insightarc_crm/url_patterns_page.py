"""The page on which a store says which of its addresses are products, and tries it on the addresses it has seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from signals_app.catalog import services as catalog_services
from signals_app.catalog.constants import UrlKind
from signals_app.catalog.exceptions import InvalidPattern
from signals_app.catalog.matching import PageKind
from signals_app.catalog.models import UrlPatterns
from signals_app.catalog.url_patterns import LONGEST_PATTERN, MOST_PATTERNS, PageReader, UrlRule, compile_rule
from signals_app.catalog.url_presets import PRESETS
from signals_app.core.admin import NumberInput, ProjectScopedAdmin, ReadOnlyAdmin, Select, TextInput
from signals_app.core.display import badge
from signals_app.projects.models import Project
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.constants import RecomputeState
from signals_app.shopper_signals.models import RecomputeRun

EMPTY_ROWS = 4
ADDRESSES = 200
KINDS: dict[PageKind, tuple[str, str]] = {
    PageKind.PRODUCT: ("Product", "good"),
    PageKind.CATEGORY: ("Category", "info"),
    PageKind.CART: ("Cart", "warn"),
    PageKind.CHECKOUT: ("Checkout", "warn"),
    PageKind.SEARCH: ("Search", "info"),
    PageKind.CONTENT: ("Content", "info"),
    PageKind.IGNORED: ("Ignored", "neutral"),
    PageKind.OTHER: ("Nothing", "neutral"),
}


class RuleForm(forms.Form):
    kind = forms.ChoiceField(label="Kind of page", choices=UrlKind.choices, widget=Select(choices=UrlKind.choices))
    pattern = forms.CharField(
        label="Pattern",
        required=False,
        max_length=LONGEST_PATTERN,
        widget=TextInput(attrs={"placeholder": "/products/{slug}", "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.use_required_attribute = False
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = field.label

    def clean(self) -> dict[str, Any] | None:
        data = super().clean() or {}
        text = data.get("pattern", "")
        if text and "kind" in data:
            try:
                compile_rule(UrlRule(UrlKind(data["kind"]), text))
            except InvalidPattern as error:
                self.add_error("pattern", str(error))
        return data

    def has_changed(self) -> bool:
        # A row with a kind and nothing else is an empty row, whatever its kind.
        return bool(self.data.get(self.add_prefix("pattern"), "").strip())


if TYPE_CHECKING:
    RuleForms = forms.BaseFormSet[RuleForm]
else:  # the type checker sees a generic class; at run time it is not
    RuleForms = forms.BaseFormSet


class BaseRuleFormSet(RuleForms):
    ordering_widget = NumberInput

    def add_fields(self, form: RuleForm, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["ORDER"].label = "Order"
        form.fields["ORDER"].required = False
        form.fields["ORDER"].widget.attrs["aria-label"] = "Order"

    def rules(self) -> list[UrlRule]:
        """Return the patterns that can be read, in the order that the person gave them."""
        found: list[tuple[int, int, UrlRule]] = []
        for number, form in enumerate(self.forms):
            data = getattr(form, "cleaned_data", {})
            text = data.get("pattern", "")
            if text and not form.errors and not data.get("DELETE"):
                place = data.get("ORDER")
                found.append((place if place is not None else number + 1, number, UrlRule(UrlKind(data["kind"]), text)))
        return [rule for *_, rule in sorted(found, key=lambda each: each[:2])]


RuleFormSet = cast(
    type[BaseRuleFormSet],
    forms.formset_factory(
        RuleForm,
        formset=BaseRuleFormSet,
        can_order=True,
        can_delete=True,
        extra=EMPTY_ROWS,
        max_num=MOST_PATTERNS,
        validate_max=True,
    ),
)


@dataclass(frozen=True, slots=True)
class TestedAddress:
    """What the patterns make of one address."""

    address: str
    badge: str
    key: str
    because: str


def try_patterns(project: Project, rules: Sequence[UrlRule]) -> dict[str, Any]:
    """Return what patterns make of the store's last addresses, for the results part of the page."""
    reader = PageReader(rules)
    addresses = signal_services.latest_addresses(project=project, limit=ADDRESSES)
    kinds: Counter[PageKind] = Counter()
    used: Counter[int] = Counter()
    tested = []
    for address in addresses:
        page, number = reader.explain(address)
        kinds[page.kind] += 1
        if number is None:
            because = "by its words" if page.kind is not PageKind.OTHER else ""
        else:
            used[number] += 1
            because = f"{number + 1}. {rules[number].pattern}"
        key = page.key if page.kind is not PageKind.OTHER else ""
        tested.append(TestedAddress(address, badge(*KINDS[page.kind]), key, because))
    return {
        "tested": tested,
        "kind_counts": [(badge(*KINDS[kind]), kinds[kind]) for kind in KINDS if kinds[kind]],
        "unused": [f"{number + 1}. {rule.pattern}" for number, rule in enumerate(rules) if not used[number]],
    }


@admin.register(UrlPatterns)
class UrlPatternsAdmin(ReadOnlyAdmin, ProjectScopedAdmin[UrlPatterns]):
    """One page a store, where the list would be."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        project = getattr(request, "project", None)
        if project is None or not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._posted(request, project)
        preset = PRESETS.get(request.GET.get("preset", ""))
        rules = list(preset.rules) if preset else catalog_services.patterns_of(project=project)
        return self._page(request, project, form_of(rules), rules, preset=preset.label if preset else "")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.get_object(request, object_id) is None:
            raise Http404("There are no such URL patterns in this store.")
        return HttpResponseRedirect(reverse("admin:catalog_urlpatterns_changelist"))

    def may_save(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("catalog.change_urlpatterns"))

    def _posted(self, request: HttpRequest, project: Project) -> HttpResponse:
        if request.POST.get("_store", str(project.pk)) != str(project.pk):
            messages.error(request, "You changed to another store in another window. Nothing was saved.")
            return HttpResponseRedirect(reverse("admin:index"))
        form = RuleFormSet(request.POST)
        is_valid = form.is_valid()
        if "_test" in request.POST:
            if request.headers.get("X-Part") == "results":
                context = {**try_patterns(project, form.rules()), "problem_count": problem_count(form)}
                return TemplateResponse(request, "admin/catalog/url_pattern_results.html", context)
            return self._page(request, project, form, form.rules())
        if not self.may_save(request):
            raise PermissionDenied
        if not is_valid:
            messages.error(request, "Nothing is saved yet: some patterns cannot be read.")
            return self._page(request, project, form, form.rules())
        return self._save(request, project, form.rules())

    def _save(self, request: HttpRequest, project: Project, rules: list[UrlRule]) -> HttpResponse:
        has_changed = rules != catalog_services.patterns_of(project=project)
        catalog_services.save_patterns(project=project, rules=rules, saved_by=request.user.get_username())
        if "_recompute" in request.POST and request.user.has_perm("shopper_signals.recompute"):
            run, _ = signal_services.start_recompute(
                project=project, started_by=request.user.get_username(), now=timezone.now()
            )
            messages.success(request, "Saved. Products and profiles are read again with these patterns.")
            return HttpResponseRedirect(reverse("admin:shopper_signals_recomputerun_change", args=[run.pk]))
        if has_changed:
            messages.success(
                request,
                "Saved. New signals are read with these patterns from now on; what is stored keeps what it says "
                "until profiles are recomputed.",
            )
        else:
            messages.info(request, "Nothing had changed.")
        return HttpResponseRedirect(request.path)

    def _page(
        self,
        request: HttpRequest,
        project: Project,
        form: BaseRuleFormSet,
        rules: Sequence[UrlRule],
        *,
        preset: str = "",
    ) -> HttpResponse:
        running = RecomputeRun.objects.filter(project=project, state=RecomputeState.RUNNING).first()
        context = {
            **self.admin_site.each_context(request),
            "title": "URL patterns",
            "opts": self.opts,
            "formset": form,
            "presets": [(key, each.label) for key, each in PRESETS.items()],
            "preset": preset,
            "may_save": self.may_save(request),
            "may_recompute": request.user.has_perm("shopper_signals.recompute"),
            "running": running,
            "store": project.pk,
            "saved": UrlPatterns.objects.filter(project=project).first(),
            "problem_count": problem_count(form),
            **try_patterns(project, rules),
        }
        return TemplateResponse(request, "admin/catalog/url_patterns.html", context)


def form_of(rules: Sequence[UrlRule]) -> BaseRuleFormSet:
    """Return the page's form filled in with patterns."""
    initial = [{"kind": rule.kind.value, "pattern": rule.pattern} for rule in rules]
    return RuleFormSet(initial=initial)


def problem_count(form: BaseRuleFormSet) -> int:
    return sum(bool(each.errors) for each in form.forms) if form.is_bound else 0
