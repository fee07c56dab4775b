from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from signals_app.emails import gallery as email_gallery
from signals_app.emails.models import EmailTemplate, MailboxMail
from signals_app.projects.models import Project
from signals_app.remarketing.models import RemarketingRule
from tests.browser.building import add, choose_field, compare, condition, groups_in, join, root_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RULES = "/admin/remarketing/remarketingrule/"
NO_SCRIPT_EVER = "<script>document.title = 'taken over'</script>"


@pytest.fixture
def templates(transactional_db: None, project: Project) -> dict[str, EmailTemplate]:
    return email_gallery.install(project=project, now=timezone.now())


def fill_row(row: Locator, field: str, op: str, value: str = "") -> None:
    """Fill in one row of the form that works without JavaScript."""
    row.locator("[data-field]").select_option(field)
    row.locator("[data-op]").select_option(op)
    if value:
        row.locator("[data-value]").fill(value)


def test_an_automation_is_built(open_page: Callable[..., Page], templates: dict[str, EmailTemplate]) -> None:
    page = open_page(f"{RULES}add/")
    trigger = root_of(page, "trigger")

    page.fill("#id_name", "Leaving soon")
    compare(condition(trigger, 0), "exit likelihood", "gte", "80")
    add(trigger, "rule")
    compare(condition(trigger, 1), "events", "gte", "6")
    add(trigger, "rule")
    condition(trigger, 2).locator("[data-remove-rule]").click()
    add(trigger, "group")
    second = groups_in(trigger).nth(0)
    join(second, "any one of these holds")
    compare(condition(second, 0), "visited the cart", "is_true")
    add(second, "rule")
    compare(condition(second, 1), "stage", "eq")
    condition(second, 1).locator("[data-value]").select_option("leaving_with_intent")
    page.select_option("[name=wait_minutes_unit]", "60")
    page.fill("[name=wait_minutes]", "2")
    page.select_option("#id_variants-0-template", str(templates["leaving_with_interest"].pk))
    page.click("[name=_continue]")

    expect(page.locator(".rule-sentence")).to_contain_text("Exit likelihood is at least 80 %")
    expect(page.locator(".rule-sentence")).to_contain_text("wait 2 hours after the last signal")
    rule = RemarketingRule.objects.get()
    assert rule.wait_minutes == 120
    assert rule.trigger == {
        "all": [
            {"field": "drop_proba", "op": "gte", "value": 0.8},
            {"field": "num_events", "op": "gte", "value": 6},
            {
                "any": [
                    {"field": "visited_cart", "op": "is_true"},
                    {"field": "stage", "op": "eq", "value": "leaving_with_intent"},
                ]
            },
        ]
    }
    page.click("[name=_save]")
    page.wait_for_url(f"**{RULES}")
    rule.refresh_from_db()
    assert rule.version == 1


def test_only_what_fits_is_offered(open_page: Callable[..., Page], project: Project) -> None:
    page = open_page(f"{RULES}add/")
    row = condition(root_of(page, "trigger"), 0)

    choose_field(row, "visited the cart")

    expect(row.locator("[data-op]")).to_have_value("is_true")
    expect(row.locator("[data-value]")).to_have_count(0)
    assert row.locator("[data-op] option").all_inner_texts() == ["is yes", "is no", "is known", "is not known"]
    page.select_option("#id_entry_event", "ORDER")
    expect(row.locator(".conditions-problem")).to_contain_text("There is no field named “visited_cart”.")
    row.locator("[data-field-button]").click()
    assert row.locator(".builder-option-group").all_inner_texts() == ["The order"]


def test_rows_work_without_javascript(open_page: Callable[..., Page], templates: dict[str, EmailTemplate]) -> None:
    page = open_page(f"{RULES}add/", scripts=False)
    trigger = page.locator("[data-conditions=trigger]")

    page.fill("#id_name", "Leaving soon")
    fill_row(trigger.locator("[data-row]").nth(0), "drop_proba", "gte", "80")
    fill_row(trigger.locator("[data-row]").nth(1), "stage", "eq", "High intent")
    page.select_option("#id_variants-0-template", str(templates["leaving_with_interest"].pk))
    page.click("[name=_save]")
    page.wait_for_url(f"**{RULES}")

    assert RemarketingRule.objects.get().trigger == {
        "all": [
            {"field": "drop_proba", "op": "gte", "value": 0.8},
            {"field": "stage", "op": "eq", "value": "high_intent"},
        ]
    }


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_screen(
    open_page: Callable[..., Page], templates: dict[str, EmailTemplate], mail: MailboxMail, width: int
) -> None:
    page = open_page(f"{RULES}add/", width=width)
    template = templates["leaving_with_interest"]
    base = page.url.removesuffix(f"{RULES}add/")

    for path in (
        f"{RULES}add/",
        RULES,
        "/admin/remarketing/rulematch/explain/",
        f"/admin/emails/emailtemplate/{template.pk}/change/",
        f"/admin/emails/mailboxmail/{mail.pk}/change/",
        "/admin/segments/segment/add/",
    ):
        page.goto(base + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_template_is_previewed_while_it_is_written(
    open_page: Callable[..., Page], templates: dict[str, EmailTemplate]
) -> None:
    template = templates["leaving_with_interest"]
    page = open_page(f"/admin/emails/emailtemplate/{template.pk}/change/")
    phone = page.frame_locator(".template-preview .mail-frame-phone iframe")

    expect(phone.locator("body")).to_contain_text("Nordlicht Outdoor")
    page.fill("#id_subject", "Dear {{ customer.first_name }}, still interested?")
    expect(page.locator("[data-preview-subject]")).to_have_text("Dear Ada, still interested?")
    page.fill("#id_mjml", template.mjml.replace("</mj-body>", ""))
    expect(page.locator("[data-preview-problems]")).to_contain_text("Content:")
    page.fill("#id_mjml", template.mjml.replace("{{ shop.name }}", "{{ shop.nickname }}"))
    expect(page.locator("[data-preview-problems]")).to_contain_text("shop.nickname")
    # What does not compile leaves the last picture that did.
    expect(phone.locator("body")).to_contain_text("Nordlicht Outdoor")


@pytest.fixture
def mail(transactional_db: None, project: Project) -> MailboxMail:
    return MailboxMail.objects.create(
        project=project,
        to_email="anna@example.com",
        from_email="Nordlicht <hello@example.com>",
        subject="Still thinking about it?",
        headers={"List-Unsubscribe": "<https://crm.example.com/e/u/x>"},
        html=f"<html><head></head><body><h1>Wool scarf</h1>{NO_SCRIPT_EVER}</body></html>",
        text="Wool scarf, as text",
    )


def test_a_captured_mail_is_read_on_phone_and_desktop(open_page: Callable[..., Page], mail: MailboxMail) -> None:
    page = open_page("/admin/emails/mailboxmail/")

    page.get_by_text("Still thinking about it?").click()
    for width, name in ((390, "phone"), (700, "desktop")):
        frame = page.frame_locator(f".mail-frame-{name} iframe")
        expect(frame.locator("h1")).to_have_text("Wool scarf")
        assert frame.locator("html").evaluate("() => window.innerWidth") == width
    assert "taken over" not in page.title()
    page.get_by_role("link", name="Text part").click()
    expect(page.locator(".mail-text")).to_have_text("Wool scarf, as text")
    page.get_by_role("link", name="Headers").click()
    expect(page.locator(".crm-table").last).to_contain_text("List-Unsubscribe")
