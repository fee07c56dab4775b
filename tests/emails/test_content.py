"""What the gallery's mails say about real rows: products, interests, orders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from signals_app.catalog.models import Product
from signals_app.customers import services as customer_services
from signals_app.emails import gallery
from signals_app.emails import services as email_services
from signals_app.emails.models import EmailMessage, EmailTemplate
from signals_app.emails.money import money_text
from signals_app.projects.models import Project
from signals_app.shopper_signals import decay
from signals_app.shopper_signals.models import Interest
from tests.emails.examples import NOW

Mail = Callable[..., Any]


@pytest.fixture
def templates(project: Project, sender: Any) -> dict[str, EmailTemplate]:
    return gallery.install(project=project, now=NOW)


@pytest.fixture
def products(project: Project) -> list[Product]:
    return [
        project.products.create(
            sku=f"sku-{name}",
            title=name.title(),
            url=f"https://shop.example.com/products/{name}?utm_source=feed",
            url_key=f"/products/{name}",
            image_url=f"https://cdn.example.com/{name}.jpg",
            price=Decimal("100.00"),
            sale_price=Decimal("80.00") if name == "tent" else None,
            currency="EUR",
            category="Camping > Tents",
            brand="North",
            first_seen_at=NOW - timedelta(days=number),
        )
        for number, name in enumerate(["tent", "tarp", "stove", "lamp"])
    ]


@pytest.fixture
def mail(
    templates: dict[str, EmailTemplate], queue: Callable[..., EmailMessage], shopper: Callable[..., Any], mailbox: Any
) -> Mail:
    """Send one of the gallery's mails and return what arrived."""

    def send(key: str, *, customer: Any = None, **context: Any) -> Any:
        queue(customer or shopper(), template=templates[key], context=context)
        assert email_services.send_due(now=NOW).counts == {"sent": 1}
        return mailbox()[-1]

    return send


def like(customer: Any, kind: str, name: str) -> None:
    age = decay.hours(NOW) / customer.project.intent_half_life_hours
    Interest.objects.create(customer=customer, kind=kind, name=name, weight_log2=age + 1, last_seen_at=NOW)


def test_viewed_products_come_with_picture_price_and_others_like_them(mail: Mail, products: list[Product]) -> None:
    sent = mail("leaving_with_interest", product_keys=["/products/tent", "/products/unlisted-thing"])

    assert sent.subject == "Still thinking about Tent?"
    assert "https://cdn.example.com/tent.jpg" in sent.html
    assert "€80.00 (instead of €100.00)" in sent.text
    assert "Unlisted thing (https://shop.example.com/products/unlisted-thing)" in sent.text
    assert "You might also like" in sent.text
    assert sum(f"{name} (http" in sent.text for name in ("Tarp", "Stove", "Lamp")) == 2


def test_a_mail_without_any_product_leads_to_the_shop(mail: Mail) -> None:
    sent = mail("leaving_with_interest")

    assert sent.subject == "Still thinking about it?"
    assert "Back to the shop (https://shop.example.com/)" in sent.text
    assert "<img" not in sent.html


def test_a_product_page_outside_the_shop_becomes_the_shop(mail: Mail, products: list[Product]) -> None:
    Product.objects.update(url="https://evil.example/products/tent", image_url="javascript:alert(1)")

    sent = mail("leaving_with_interest", product_keys=["/products/tent"])

    assert "evil" not in sent.html
    assert "javascript" not in sent.html
    assert "Tent (https://shop.example.com/)" in sent.text


def test_what_is_new_comes_from_the_top_interest(mail: Mail, products: list[Product], shopper: Any) -> None:
    anna = shopper()
    like(anna, "category", "tents")
    like(anna, "product", "/products/tent")

    sent = mail("back_after_silence", customer=anna)

    assert sent.subject == "New in Tents"
    assert "Tarp (https://shop.example.com/products/tarp" in sent.text


def test_thanks_name_the_order_and_show_what_was_liked_and_not_bought(
    mail: Mail, products: list[Product], shopper: Any, project: Project
) -> None:
    anna = shopper()
    for name in ("tent", "tarp", "stove"):
        like(anna, "product", f"/products/{name}")
    customer_services.record_order(
        project=project,
        identifiers={"email": anna.email},
        order_id="1001",
        total=Decimal("100.00"),
        currency="EUR",
        placed_at=NOW,
        items=[{"sku": "sku-tent", "title": "Tent", "quantity": 2}, {"title": "Tarp"}],
        now=NOW,
    )

    sent = mail("thank_you", customer=anna, order_id="1001")

    assert "Your order 1001" in sent.text
    assert "2 × Tent" in sent.text
    assert "Stove (https://" in sent.text
    assert "Tent (https://" not in sent.text
    assert "Tarp (https://" not in sent.text


@pytest.mark.parametrize(
    "context", [{}, {"product_keys": None}, {"product_keys": ["", "/", "x" * 400, 5]}, {"order_id": 7}]
)
@pytest.mark.parametrize("key", [mail.key for mail in gallery.MAILS])
def test_every_mail_can_be_written_whatever_it_was_asked_with(mail: Mail, key: str, context: dict[str, Any]) -> None:
    assert mail(key, **context).subject


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (Decimal("1249.9"), "EUR", "€1,249.90"),
        (Decimal("49.9"), "CHF", "49.90 CHF"),
        (Decimal("1500"), "JPY", "¥1,500"),
        (Decimal("5"), "", "5.00"),
        (None, "EUR", ""),
    ],
)
def test_money_is_written_as_people_read_it(amount: Decimal | None, currency: str, text: str) -> None:
    assert money_text(amount, currency) == text
