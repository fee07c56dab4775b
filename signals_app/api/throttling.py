from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from signals_app.projects.models import ApiKey

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module, by the settings


class KeyThrottle(SimpleRateThrottle):
    """Hold each key to the rate `api` of the settings, counted in each web process."""

    scope = "api"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        return f"throttle:{request.auth.pk}" if isinstance(request.auth, ApiKey) else None
