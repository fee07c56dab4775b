"""How a shopper is shown in lists and on pages of other rows."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from signals_app.core.display import page_link
from signals_app.customers.models import Customer


def profile_link(customer: Customer) -> SafeString:
    """Return a link to a profile; while its person is being erased nobody finds it, so there is only the word."""
    return format_html("{}", customer) if customer.erased_at else page_link(customer)
