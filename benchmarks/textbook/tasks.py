from __future__ import annotations

from celery import shared_task
from django.db import OperationalError, transaction
from django.utils import timezone

from benchmarks.textbook import profiles, rules
from benchmarks.textbook.models import Customer, Signal
from signals_app.shopper_signals import interests


@shared_task(ignore_result=True, autoretry_for=(OperationalError,), retry_backoff=True)
def process_signal(signal_id: int) -> None:
    """Fold a signal into its customer's profile and see which rules it starts; once, however often it is called."""
    now = timezone.now()
    with transaction.atomic():
        signal = Signal.objects.get(pk=signal_id)
        customer = Customer.objects.select_for_update(no_key=True).get(pk=signal.customer_id)
        if not Signal.objects.filter(pk=signal_id, processed_at=None).update(processed_at=now):
            return
        pages = interests.read(interests.pages_of(signal.relevant_events), interests.Catalogue())
        usual = profiles.usual_levels(now)
        state, assessed = profiles.fold_signal(customer, signal, pages, usual, now)
        profiles.add_interests(customer, signal, pages)
        customer.last_seen_at = now
        customer.save(update_fields=["last_seen_at"])
        values = rules.values_of(signal, pages, state, assessed, usual)
        outcomes = rules.plan_matches(customer, signal, values, now)
    profiles.count_signal(signal)
    rules.count_outcomes(outcomes, now)
