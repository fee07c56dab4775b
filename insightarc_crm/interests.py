"""The top interest of many shoppers at once, in words, for lists."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from signals_app.catalog.models import Product
from signals_app.projects.models import Project
from signals_app.shopper_signals import services as signal_services
from signals_app.shopper_signals.constants import InterestKind
from signals_app.shopper_signals.models import Interest


def top_interest_labels(*, project: Project, customer_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return each shopper's strongest interest as a person calls it: a product by its title where the catalogue has it."""
    ranked = Interest.objects.filter(customer_id__in=list(customer_ids)).annotate(
        rank=Window(RowNumber(), partition_by=F("customer_id"), order_by=[F("weight_log2").desc(), F("id").asc()])
    )
    top = {interest.customer_id: interest for interest in ranked.filter(rank=1)}
    keys = {interest.name for interest in top.values() if interest.kind == InterestKind.PRODUCT}
    products = Product.objects.filter(project=project, url_key__in=keys)
    titles = dict(products.values_list("url_key", "title"))
    return {
        customer_id: titles.get(interest.name) or signal_services.label_of(interest)
        for customer_id, interest in top.items()
    }
