from django.apps import AppConfig


class ShopperSignalsConfig(AppConfig):
    name = "signals_app.shopper_signals"
    label = "shopper_signals"
    verbose_name = "Buying intent"
