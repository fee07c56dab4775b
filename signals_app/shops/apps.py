from django.apps import AppConfig


class ShopsConfig(AppConfig):
    name = "signals_app.shops"
    label = "shops"
    verbose_name = "Shop connection"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.shops.facet import FACET

        facets.register(FACET)
