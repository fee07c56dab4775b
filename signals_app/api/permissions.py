"""What a key may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from signals_app.projects.constants import Scope
from signals_app.projects.models import ApiKey

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module, by the settings


class HasScope(BasePermission):
    """Let a key read with the scope `read` and write with `write`; a view asks for another with `required_scope`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        default = Scope.READ if request.method in SAFE_METHODS else Scope.WRITE
        return isinstance(request.auth, ApiKey) and getattr(view, "required_scope", default) in request.auth.scopes
