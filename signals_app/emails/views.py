"""The page behind the unsubscribe link of every mail, and the address that mail programs post to."""

from __future__ import annotations

from csp.constants import NONCE, NONE, SELF
from csp.decorators import csp
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from signals_app.emails import services
from signals_app.emails.exceptions import UnknownToken

_POLICY = {
    "default-src": [NONE],
    "style-src": [NONCE],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}


@csrf_exempt  # the token in the address is the permission; a mail program that posts has no cookie
@never_cache
@csp(_POLICY)  # type: ignore[arg-type] # its annotation knows no views with arguments
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """
    Show the page for GET and HEAD, which scanners fetch, and act for POST only.

    A POST without an `action` is a mail program's one-click (https://www.rfc-editor.org/rfc/rfc8058): no cookie, no
    login, no redirect, and the same answer however often it comes.
    """
    try:
        response = _act(request, token) if request.method == "POST" else _page(request, token, "ask")
    except UnknownToken:
        response = render(request, "emails/unknown_link.html", status=404)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _act(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    action = request.POST.get("action", "")
    if action == "undo":
        services.undo_unsubscribe(token=token, undo=request.POST.get("undo", ""), now=now)
        return _page(request, token, "undone")
    services.unsubscribe(token=token, now=now)
    if action == "unsubscribe":
        return _page(request, token, "done")
    return HttpResponse("You are unsubscribed.\n", content_type="text/plain; charset=utf-8")


def _page(request: HttpRequest, token: str, step: str) -> HttpResponse:
    subscription = services.subscription_of(token=token)
    undo = services.undo_token(token=token) if step == "done" and subscription.message else ""
    return render(request, "emails/preferences.html", {"subscription": subscription, "step": step, "undo": undo})
