"""
One store at a time: every list, choice and page of the admin starts from the current store.

The current store stands on the request as `request.project`; the composition root puts it there.
"""

from __future__ import annotations

from typing import Any, TypeVar

from django import forms
from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS, FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.db import models
from django.db.models.fields.related import RelatedField
from django.http import HttpRequest

M = TypeVar("M", bound=models.Model)


def project_path(model: type[models.Model]) -> str:
    """
    Return the lookup that leads from a model to its store, such as "project" or "identifier__project".

    :raises ImproperlyConfigured: if there is none and the model's admin names none. Rows of such a model may not be
        listed or offered anywhere, so forgetting the path is an error and never an unscoped list.
    """
    if model._meta.label == "projects.Project":
        return "pk"
    registered = admin.site._registry.get(model)
    path: str = getattr(registered, "project_path", "")
    if path:
        return path
    try:
        model._meta.get_field("project")
    except FieldDoesNotExist as error:
        raise ImproperlyConfigured(
            f"{model._meta.label}: its admin must say how `project_path` leads to the store"
        ) from error
    return "project"


def scope(queryset: models.QuerySet[M], request: HttpRequest, path: str = "") -> models.QuerySet[M]:
    """Keep what belongs to the current store; nothing when there is none."""
    project = getattr(request, "project", None)
    if project is None:
        return queryset.none()
    return queryset.filter(**{path or project_path(queryset.model): project.pk})


class ScopedChoices:
    """Mixed into admin classes and inlines: a form offers, and accepts, only related rows of the current store."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if "queryset" not in kwargs:
            kwargs["queryset"] = scope(_related(db_field)._default_manager.all(), request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if "queryset" not in kwargs:
            kwargs["queryset"] = scope(_related(db_field)._default_manager.all(), request)
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]


def _related(db_field: RelatedField[Any, Any]) -> type[models.Model]:
    model = db_field.related_model
    if isinstance(model, str):
        raise ImproperlyConfigured(f"{db_field}: the model it points at is not loaded")
    return model


class ScopedFieldChoices:
    """Mixed into filters by a related row: they list the rows of the current store only."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        ordering = self.field_admin_ordering(field, request, model_admin)  # type: ignore[attr-defined]
        project = getattr(request, "project", None)
        own = {project_path(_related(field)): project.pk if project else None}
        return field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=own)


class ProjectFormMixin:
    """
    Mixed into the forms of a store's rows: the store is the current one, and what is unique within it is checked.

    The form has no field for the store, and Django leaves constraints over missing fields unchecked: the row would
    fail in the database instead of on the page.
    """

    current_project: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        instance = self.instance  # type: ignore[attr-defined]
        if instance._state.adding and self.current_project is not None:
            instance.project = self.current_project

    def _get_validation_exclusions(self) -> set[str]:
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"project"}

    def _update_errors(self, errors: ValidationError) -> None:
        super()._update_errors(_name_the_field(errors, self))  # type: ignore[misc]


def _name_the_field(errors: ValidationError, form: Any) -> ValidationError:
    """Move “unique within the store” from the top of the form to the field that a person can change."""
    if not hasattr(errors, "error_dict"):
        return errors
    kept: dict[str, list[ValidationError]] = {}
    for name, found in errors.error_dict.items():
        for error in found:
            unique: tuple[str, ...] = tuple((error.params or {}).get("unique_check", ()))
            own = [field for field in unique if field != "project" and field in form.fields]
            if name == NON_FIELD_ERRORS and "project" in unique and own:
                label = form.fields[own[-1]].label
                kept.setdefault(own[-1], []).append(
                    ValidationError(f"This store already has one with this {str(label).lower()}.", code="unique")
                )
            else:
                kept.setdefault(name, []).append(error)
    return ValidationError(dict(kept))


def project_form(form: type[forms.ModelForm[Any]], request: HttpRequest) -> type[forms.ModelForm[Any]]:
    """Return the form class bound to the current store."""
    attributes = {"current_project": getattr(request, "project", None), "__module__": form.__module__}
    return type(form.__name__, (ProjectFormMixin, form), attributes)
