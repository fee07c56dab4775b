from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "signals_app.customers"
    label = "customers"
    verbose_name = "Profiles"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.customers.exports import EXPORTS
        from signals_app.customers.facet import FACET
        from signals_app.customers.transfer_kinds import IMPORTS
        from signals_app.transfers import kinds

        facets.register(FACET)
        for list_in in IMPORTS:
            kinds.register_import(list_in)
        for list_out in EXPORTS:
            kinds.register_export(list_out)
