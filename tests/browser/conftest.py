"""A real Chromium on a real server: what only a browser can show."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from signals_app.projects.constants import Role
from signals_app.projects.models import Membership, Project

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium(django_db_setup: None) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    # Playwright's loop runs in this thread, and Django takes that for asynchronous code: for one module at a time, so
    # that the tests of other modules are not run like that.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, live_server: Any, project: Project) -> Iterator[Callable[..., Page]]:
    """Return a way to open a page of the admin as a member of the store, at a width, with or without JavaScript."""
    contexts = []

    def open_page(path: str, *, role: Role = Role.MARKETER, width: int = 1280, scripts: bool = True) -> Page:
        user = get_user_model().objects.create_user(f"{role.lower()}{len(contexts)}", is_staff=True)
        Membership.objects.create(project=project, user=user, role=role)
        client = Client()
        client.force_login(user, backend="insightarc_crm.roles.RoleBackend")
        context = chromium.new_context(viewport={"width": width, "height": 1000}, java_script_enabled=scripts)
        contexts.append(context)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.set_default_timeout(20_000)
        response = page.goto(live_server.url + path)
        assert response is not None
        assert response.status == 200
        return page

    yield open_page
    for context in contexts:
        context.close()
