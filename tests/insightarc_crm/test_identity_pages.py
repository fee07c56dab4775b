"""Possible duplicates, merging two profiles, how we know, and undoing a link, as a marketer does it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from signals_app.audit.models import AuditEntry
from signals_app.customers import services
from signals_app.customers.constants import Evidence
from signals_app.customers.models import Customer, Identifier, IdentityConflict, IdentityEdge
from signals_app.projects import services as project_services
from signals_app.projects.constants import Role
from signals_app.projects.models import Project

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def known(project: Project, number: int, **more: str) -> Customer:
    identifiers = {"external_id": f"C-{number}", "email": f"shopper{number}@example.com"} | more
    said = {"first_name": f"Shopper {number}"}
    return services.identify(project=project, identifiers=identifiers, attributes=said, now=NOW).customer


@pytest.fixture
def marketer(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.MARKETER)


@pytest.fixture
def two(project: Project) -> tuple[Customer, Customer]:
    return known(project, 1, anonymous_id="browser-1"), known(project, 2)


@pytest.fixture
def conflict(project: Project, two: tuple[Customer, Customer]) -> IdentityConflict:
    services.identify(project=project, identifiers={"external_id": "C-1", "email": "shopper2@example.com"}, now=NOW)
    return IdentityConflict.objects.get()


def address(name: str, *arguments: Any) -> str:
    return reverse(f"admin:customers_{name}", args=arguments)


def text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


class TestPossibleDuplicates:
    def test_are_listed_with_the_open_ones_first(
        self, marketer: Client, conflict: IdentityConflict, project: Project
    ) -> None:
        known(project, 3)
        services.identify(project=project, identifiers={"external_id": "C-3", "email": "shopper1@example.com"}, now=NOW)
        newer = IdentityConflict.objects.exclude(pk=conflict.pk).get()
        services.keep_apart(conflict=newer, by="Eve", now=NOW)

        response = marketer.get(address("identityconflict_changelist"))

        assert [row.pk for row in response.context["cl"].result_list] == [conflict.pk, newer.pk]
        assert "Shopper 1" in text(response)

    def test_are_shown_side_by_side_and_merged(
        self, marketer: Client, conflict: IdentityConflict, two: tuple[Customer, Customer]
    ) -> None:
        page = text(marketer.get(address("identityconflict_change", conflict.pk)))
        left, right = conflict.left.customer_id, conflict.right.customer_id
        done = marketer.post(address("customer_merge", left), {"with": right}, follow=True)

        for words in ("Together", "shopper1@example.com", "shopper2@example.com", "Never asked", "Keep apart"):
            assert words in page
        assert "They are one profile now" in text(done)
        assert Customer.objects.get().pk == min(left, right)
        conflict.refresh_from_db()
        assert (conflict.state, conflict.decided_by) == ("MERGED", "marketer-nordlicht")
        assert "one profile already" in text(marketer.get(address("identityconflict_change", conflict.pk)))

    def test_say_which_signal_showed_them(self, marketer: Client, conflict: IdentityConflict) -> None:
        signal = "019abcde-0000-7000-8000-000000000001"
        IdentityConflict.objects.update(evidence=Evidence.SIGNAL, reference=signal)

        page = text(marketer.get(address("identityconflict_change", conflict.pk)))

        link = reverse("admin:shopper_signals_shoppersignal_change", args=[signal])
        assert f"seen in one signal – <a class='crm-link' href='{link}'>the signal</a>" in page

    def test_say_so_when_there_are_none(self, marketer: Client) -> None:
        assert "waits here for you to decide" in text(marketer.get(address("identityconflict_changelist")))
        nothing = text(marketer.get(address("identityconflict_changelist"), {"q": "nobody@example.com"}))
        assert "Nothing in this list fits the search" in nothing

    def test_are_kept_apart(self, marketer: Client, conflict: IdentityConflict) -> None:
        marketer.post(address("identityconflict_keep_apart", conflict.pk))

        page = text(marketer.get(address("customer_links", conflict.left.customer_id)))

        assert "Kept apart by a person" in page
        assert "marketer-nordlicht" in page


class TestMerging:
    def test_begins_with_any_known_id(self, marketer: Client, two: tuple[Customer, Customer]) -> None:
        path = address("customer_merge", two[0].pk)

        found = text(marketer.get(path, {"q": " SHOPPER2@example.com "}))
        nobody = text(marketer.get(path, {"q": "nobody@example.com\x00"}))
        itself = text(marketer.get(path, {"q": "browser-1"}))
        preview = text(marketer.get(path, {"with": str(two[1].pk)}))

        assert f"?with={two[1].pk}" in found
        assert "?with=" not in nobody + itself
        assert "No other profile" in itself
        assert "Nothing is changed yet" in preview
        assert Customer.objects.count() == 2

    def test_twice_is_no_error(self, marketer: Client, two: tuple[Customer, Customer]) -> None:
        path = address("customer_merge", two[0].pk)
        marketer.post(path, {"with": two[1].pk})

        again = marketer.post(path, {"with": two[1].pk}, follow=True)

        assert "one profile already" in text(again)

    @pytest.mark.parametrize("other", ["nonsense", "019a0000-0000-7000-8000-000000000000", "\x00"])
    def test_with_nobody_is_not_found(self, marketer: Client, two: tuple[Customer, Customer], other: str) -> None:
        path = address("customer_merge", two[0].pk)

        assert marketer.get(path, {"with": other}).status_code == 404
        assert marketer.post(path, {"with": other}).status_code == 404

    def test_with_a_profile_of_another_store_is_not_found(
        self, marketer: Client, two: tuple[Customer, Customer]
    ) -> None:
        store = project_services.create_project(slug="other", name="Other", shop_url="https://other.example/")
        theirs = known(store, 9)

        assert marketer.post(address("customer_merge", two[0].pk), {"with": theirs.pk}).status_code == 404
        assert marketer.get(address("customer_links", theirs.pk)).status_code == 404
        assert "?with=" not in text(marketer.get(address("customer_merge", two[0].pk), {"q": "C-9"}))


class TestHowWeKnow:
    def test_is_told_with_evidence(self, marketer: Client, two: tuple[Customer, Customer]) -> None:
        page = text(marketer.get(address("customer_links", two[0].pk)))

        for words in ("browser-1", "Said by the shop", "Undo this link"):
            assert words in page

    def test_names_the_row_of_an_imported_list(self, marketer: Client, two: tuple[Customer, Customer]) -> None:
        run = "019abcde-0000-7000-8000-000000000002"
        IdentityEdge.objects.filter(left__customer=two[0]).update(
            evidence=Evidence.IMPORT, reference=f"import:{run}:17"
        )

        page = text(marketer.get(address("customer_links", two[0].pk)))

        link = reverse("admin:transfers_importrun_change", args=[run])
        assert f"Imported – <a class='crm-link' href='{link}'>row 17 of the list</a>" in page

    def test_shows_the_strongest_ids_and_links_and_counts_the_rest(
        self, marketer: Client, project: Project, two: tuple[Customer, Customer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("insightarc_crm.identity_pages.SHOWN", 2)
        for number in range(3):
            seen = {"email": "shopper1@example.com", "session_id": f"visit-{number}"}
            services.identify(project=project, identifiers=seen, now=NOW)

        shown = marketer.get(address("customer_links", two[0].pk)).context

        assert [one.kind for one in shown["identifiers"]] == ["external_id", "email"]
        assert len(shown["links"]) == 2
        assert not any("session_id" in (row.edge.left.kind, row.edge.right.kind) for row in shown["links"])
        assert shown["more"] == 4

    def test_names_a_shared_browser(self, marketer: Client, project: Project, two: tuple[Customer, Customer]) -> None:
        for number in range(3, 12):
            known(project, number)
            services.identify(
                project=project, identifiers={"external_id": f"C-{number}", "anonymous_id": "browser-1"}, now=NOW
            )

        assert "Shared" in text(marketer.get(address("customer_links", two[0].pk)))

    def test_a_link_is_undone_after_a_look_at_what_would_part(
        self, marketer: Client, two: tuple[Customer, Customer]
    ) -> None:
        browser = Identifier.objects.get(kind="anonymous_id")
        edge = IdentityEdge.objects.get(left=browser)
        path = address("customer_undo_link", two[0].pk, edge.pk)

        preview = text(marketer.get(path))
        still_one = Identifier.objects.get(pk=browser.pk).customer_id
        done = marketer.post(path, follow=True)

        assert "2 profiles" in preview
        assert "keeps this page" in preview
        assert still_one == two[0].pk
        assert "a profile of its own" in text(done)
        assert Identifier.objects.get(pk=browser.pk).customer_id != two[0].pk
        assert marketer.get(path).status_code == 404
        assert marketer.post(address("customer_undo_link", two[1].pk, edge.pk)).status_code == 404
        assert AuditEntry.objects.filter(action="DID", detail="Undo link", object_id=str(two[0].pk)).exists()


@pytest.mark.parametrize("role", [Role.ANALYST, Role.OPERATOR])
def test_who_may_only_look_decides_nothing(
    sign_in: Callable[..., Client], two: tuple[Customer, Customer], conflict: IdentityConflict, role: Role
) -> None:
    browser = sign_in(role)
    edge = IdentityEdge.objects.first()
    assert edge is not None
    undo = address("customer_undo_link", two[0].pk, edge.pk)

    assert browser.post(address("customer_merge", two[0].pk), {"with": two[1].pk}).status_code == 403
    assert browser.post(undo).status_code == 403
    assert "Undo this link" not in text(browser.get(address("customer_links", two[0].pk)))
    assert "Your role may look" in text(browser.get(address("identityconflict_change", conflict.pk)))
    assert Customer.objects.count() == 2
