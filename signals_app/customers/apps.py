from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "signals_app.customers"
    label = "customers"
    verbose_name = "Profiles"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.customers.facet import FACET

        facets.register(FACET)
