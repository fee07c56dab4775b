"""
The admin's look and its base classes: only this module, and `buttons` and `list_filters` behind it, know the theme.

Rooms import `ProjectScopedAdmin` and its sisters from here, never from the theme, so that the theme can be replaced.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import DateTimeField, Model, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from simple_history.admin import SimpleHistoryAdmin
from unfold import widgets
from unfold.decorators import display as themed_display
from unfold.sites import UnfoldAdminSite

from signals_app.core.buttons import Method, action, post_action
from signals_app.core.changelist import QuickChangeList
from signals_app.core.deeds import Deed, DeedKind, has_told, tell
from signals_app.core.forms import check_moment
from signals_app.core.list_filters import (
    BooleanFilter,
    ChoicesFilter,
    DateTimeRangeFilter,
    DropdownFilter,
    NumberRangeFilter,
    ScopedRelatedFilter,
    TextFilter,
    chosen_times,
)
from signals_app.core.logged_names import changed_fields, deed_about, nameless, nameless_message
from signals_app.core.pagination import BoundedPaginator
from signals_app.core.scoping import ScopedChoices, project_form, project_path, scope

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite as BaseAdminSite
    from django.contrib.admin import ModelAdmin as ThemedModelAdmin
    from django.contrib.admin import StackedInline as ThemedStackedInline
    from django.contrib.admin import TabularInline as ThemedTabularInline
    from django.contrib.admin.models import LogEntry
else:
    from unfold.admin import ModelAdmin as ThemedModelAdmin
    from unfold.admin import StackedInline as ThemedStackedInline
    from unfold.admin import TabularInline as ThemedTabularInline

    BaseAdminSite = UnfoldAdminSite
    for themed in (ThemedModelAdmin, ThemedStackedInline, ThemedTabularInline):
        # The type checker sees generic classes; at run time they are not.
        themed.__class_getitem__ = classmethod(lambda cls, *_: cls)

__all__ = [
    "BaseAdminSite",
    "BooleanFilter",
    "CheckboxSelectMultiple",
    "ChoicesFilter",
    "DateTimeInput",
    "DateTimeRangeFilter",
    "DropdownFilter",
    "FileInput",
    "HistoricalAdmin",
    "ModelAdmin",
    "NumberInput",
    "NumberRangeFilter",
    "PasswordInput",
    "ProjectScopedAdmin",
    "ProjectSingletonAdmin",
    "RadioSelect",
    "ReadOnlyAdmin",
    "ScopedRelatedFilter",
    "Select",
    "StackedInline",
    "Switch",
    "TabularInline",
    "TextFilter",
    "TextInput",
    "Textarea",
    "UrlInput",
    "action",
    "chosen_times",
    "display",
    "note_form_errors",
    "post_action",
    "take_over",
]

ADDITION, CHANGE, DELETION = 1, 2, 3  # of django.contrib.admin.models, which may not be read yet

M = TypeVar("M", bound=Model)
P = TypeVar("P", bound=Model)


def display(
    *, description: str, ordering: str | None = None, boolean: bool | None = None, empty_value: str | None = None
) -> Callable[[Method], Method]:
    """Name a method of an admin class that stands in a list or on a page."""
    decorate: Callable[[Method], Method] = themed_display(
        description=description, ordering=ordering, boolean=boolean, empty_value=empty_value
    )
    return decorate


# Widgets for forms of our own.
CheckboxSelectMultiple: Any = widgets.UnfoldAdminCheckboxSelectMultipleWidget
DateTimeInput: Any = widgets.UnfoldAdminSplitDateTimeWidget
FileInput: Any = widgets.UnfoldAdminFileFieldWidget
NumberInput: Any = widgets.UnfoldAdminIntegerFieldWidget
PasswordInput: Any = widgets.UnfoldAdminPasswordWidget
RadioSelect: Any = widgets.UnfoldAdminRadioSelectWidget
Select: Any = widgets.UnfoldAdminSelectWidget
Switch: Any = widgets.UnfoldBooleanSwitchWidget
TextInput: Any = widgets.UnfoldAdminTextInputWidget
Textarea: Any = widgets.UnfoldAdminTextareaWidget
UrlInput: Any = widgets.UnfoldAdminURLInputWidget


class ModelAdmin(ThemedModelAdmin[M]):
    """What every list and page has in common: quick lists, and 404 for what is not there or not ours."""

    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    warn_unsaved_form = True
    compressed_fields = True
    names_are_public = False
    """True where people choose the names of the rows. All others may name a shopper, and logs know them by id only."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QuickChangeList

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(db_field, DateTimeField):
            field.validators = [*field.validators, check_moment]
        return field

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        raise Http404(f"There is no {opts.verbose_name} {object_id!r} in this store.")

    def _filter_unfold_actions_by_permissions(self, request: HttpRequest, actions: Any, object_id: Any = None) -> Any:
        shown = super()._filter_unfold_actions_by_permissions(request, actions, object_id)  # type: ignore[misc]
        return [
            each
            for each in shown
            if self.may(request, getattr(each.method, "needs", ""))
            and (object_id is None or self.offers(request, each.action_name, object_id))
        ]

    def offers(self, request: HttpRequest, button: str, object_id: Any) -> bool:
        """Say whether a row's page shows a button of `actions_detail`; for rows in which it would do nothing."""
        return True

    def may(self, request: HttpRequest, permission: str) -> bool:
        """Say whether the person holds a permission: "change", of this model, or a full name like "webhooks.replay"."""
        if not permission:
            return True
        if "." in permission:
            return request.user.has_perm(permission)
        return bool(getattr(self, f"has_{permission}_permission")(request))

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return self._log(request, obj, ADDITION, message, DeedKind.ADDED)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return self._log(request, obj, CHANGE, message, DeedKind.CHANGED)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        return [self._log(request, obj, DELETION, "", DeedKind.DELETED) for obj in queryset]

    def _log(self, request: HttpRequest, obj: Any, flag: int, message: Any, kind: DeedKind) -> LogEntry:
        """Write the row's history, and tell the deed; without the name of a row that may be a shopper's."""
        # Imported here: this module is read before the models are.
        from django.contrib.admin.models import LogEntry
        from django.contrib.contenttypes.models import ContentType

        name = str(obj)[:200] if self.names_are_public else ""
        said = message if self.names_are_public else nameless_message(message)
        tell(request, deed_about(kind, obj, name=name, detail=changed_fields(message)))
        return LogEntry.objects.create(
            user_id=str(request.user.pk),
            content_type=ContentType.objects.get_for_model(obj, for_concrete_model=False),
            object_id=obj.pk,
            object_repr=name or nameless(obj),
            action_flag=flag,
            change_message=json.dumps(said) if isinstance(said, list) else said,
        )

    def response_action(self, request: HttpRequest, queryset: QuerySet[M]) -> HttpResponse | None:
        """Do what was chosen for several rows, and tell it."""
        response = super().response_action(request, queryset)
        button = request.POST.get("action", "")
        chosen = len(request.POST.getlist("_selected_action"))
        if button and chosen and isinstance(response, HttpResponseRedirect) and not has_told(request):
            detail = f"{button.replace('_', ' ')}: {chosen} rows"
            tell(request, Deed(DeedKind.DID, self.opts.label_lower, detail=detail[:300]))
        return response

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # PostgreSQL refuses NUL in text: a hand-made filter would end in a server error.
        if any("\x00" in value for _, values in request.GET.lists() for value in values):
            return HttpResponseRedirect(request.path)
        return super().changelist_view(request, extra_context)


class TabularInline(ScopedChoices, ThemedTabularInline[M, P]):
    extra = 0


class StackedInline(ScopedChoices, ThemedStackedInline[M, P]):
    extra = 0


class ReadOnlyAdmin:
    """Mixed in where rows are facts: nobody adds, changes or deletes them by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        # Nobody changes it, so there is no history to offer.
        context = {"show_history": False} | (extra_context or {})
        return super().changeform_view(request, object_id, form_url, context)  # type: ignore[misc]


class ProjectScopedAdmin(ScopedChoices, ModelAdmin[M]):
    """
    Rows of one store: lists, pages, choices, filters and actions know the current store only.

    `project_path` is the lookup to the store where the model has no `project` of its own. A new row gets the
    current store; the form never shows it.
    """

    project_path = ""
    when_empty = ""
    """What the list says as long as there is nothing in it: what will stand here, and what to do for it."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        return scope(super().get_queryset(request), request, self.project_path or project_path(self.model))

    def get_exclude(self, request: HttpRequest, obj: M | None = None) -> Any:
        return (*(super().get_exclude(request, obj) or ()), "project")

    def get_form(self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any) -> Any:
        if (self.project_path or "project") == "project":
            kwargs["form"] = project_form(kwargs.get("form", self.form), request)
        return super().get_form(request, obj, change, **kwargs)

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [self._scoped_filter(item) for item in super().get_list_filter(request)]

    def _scoped_filter(self, item: Any) -> Any:
        if not isinstance(item, str) or "__" in item:
            return item
        field = self.opts.get_field(item)
        return (item, ScopedRelatedFilter) if field.is_relation else item

    def has_add_permission(self, request: HttpRequest) -> bool:
        return getattr(request, "project", None) is not None and super().has_add_permission(request)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        project = getattr(request, "project", None)
        current = str(project.pk) if project is not None else ""
        if request.method == "POST" and request.POST.get("_store", current) != current:
            messages.error(request, "You changed to another store in another window. Nothing was saved.")
            return HttpResponseRedirect(reverse(f"{self.admin_site.name}:index"))
        return super().changeform_view(request, object_id, form_url, extra_context)

    def page_context(self, request: HttpRequest, row: M) -> dict[str, Any]:
        """Return what stands on a row's page around its form."""
        return {}

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: M | None = None,
    ) -> HttpResponse:
        if change and obj is not None:
            context |= self.page_context(request, obj)
        return super().render_change_form(request, context, add=add, change=change, form_url=form_url, obj=obj)


class ProjectSingletonAdmin(ProjectScopedAdmin[M]):
    """A page of which a store has one: the list leads straight to it, or to its creation."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}"
        found = self.get_queryset(request).first()
        if found is not None:
            return HttpResponseRedirect(reverse(f"{name}_change", args=[found.pk]))
        if self.has_add_permission(request):
            return HttpResponseRedirect(reverse(f"{name}_add"))
        return super().changelist_view(request, extra_context)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        if not super().has_add_permission(request):
            raise PermissionDenied
        if self.get_queryset(request).exists():
            return self.changelist_view(request)
        return super().add_view(request, form_url, {"show_save_and_add_another": False} | (extra_context or {}))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not self.get_queryset(request).exists()

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


class HistoricalAdmin(ProjectScopedAdmin[M], SimpleHistoryAdmin):  # type: ignore[misc]
    """Rows whose versions are kept, and shown, for the rows of the current store only."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        self._require_own(request, object_id)
        return super().history_view(request, object_id, extra_context)

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        # The base class finds versions of any store's rows, of deleted ones too.
        self._require_own(request, object_id)
        return super().history_form_view(request, object_id, version_id, extra_context)

    def _require_own(self, request: HttpRequest, object_id: str) -> None:
        if self.get_object(request, object_id) is None:
            raise Http404(f"There is no {self.opts.verbose_name} {object_id!r} in this store.")


def take_over(row: Model, made: Model) -> None:
    """Let the row of a form be the one that a service has made of what was filled in."""
    row.__dict__.update({name: value for name, value in made.__dict__.items() if not name.startswith("_")})
    row._state.adding = False


def note_form_errors(request: HttpRequest, form: ModelForm[Any] | Any) -> None:
    """Show the errors of a form that stands on a page of another object."""
    for name, errors in form.errors.items():
        label = form.fields[name].label if name in form.fields else ""
        for error in errors:
            messages.error(request, f"{label}: {error}" if label else str(error))
