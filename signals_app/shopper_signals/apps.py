from django.apps import AppConfig


class ShopperSignalsConfig(AppConfig):
    name = "signals_app.shopper_signals"
    label = "shopper_signals"
    verbose_name = "Buying intent"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.shopper_signals.facet import FACET

        facets.register(FACET)
