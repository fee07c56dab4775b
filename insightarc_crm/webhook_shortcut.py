"""Webhook requests go straight to their view."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

WEBHOOKS = "/webhooks/"
URLS = "signals_app.webhooks.urls"


class WebhookShortcutMiddleware:
    """
    Answer webhook requests without the rest of the middleware; the first of the list.

    What the others do is for people with a browser: sessions, logins, CSRF tokens, messages, policies for pages. A
    webhook request has none of that and is trusted for its signature alone, and passing through all of it took longer
    than all else that such a request needs.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(WEBHOOKS):
            return self._get_response(request)
        try:
            match = resolve(request.path_info, URLS)
        except Resolver404:
            return self._get_response(request)
        request.resolver_match = match
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        render = getattr(response, "render", None)
        if callable(render):
            render()
        # Without it, the web server would send these few bytes in chunks.
        response.headers["Content-Length"] = str(len(response.content))
        return response
