"""Signals, the evidence of interests, and recomputations in the admin."""

from signals_app.shopper_signals.admin.interests import InterestAdmin
from signals_app.shopper_signals.admin.recomputing import RecomputeRunAdmin
from signals_app.shopper_signals.admin.signals import ShopperSignalAdmin

__all__ = ["InterestAdmin", "RecomputeRunAdmin", "ShopperSignalAdmin"]
