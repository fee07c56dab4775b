"""Who calls: the API key in `Authorization: Bearer`."""

from __future__ import annotations

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from signals_app.projects import services as projects
from signals_app.projects.models import ApiKey


class ApiKeyAuthentication(BaseAuthentication):
    """A program is known by its key alone, so `request.auth` is the key and there is no user."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        scheme, _, key = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        api_key = projects.authenticate(key=key.strip(), now=timezone.now())
        if api_key is None:
            raise AuthenticationFailed("The API key is not valid.")
        return None, api_key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
