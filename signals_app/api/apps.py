from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "signals_app.api"
    label = "api"
    verbose_name = "API"

    def ready(self) -> None:
        from signals_app.api import schema
        from signals_app.api.facet import FACET
        from signals_app.customers import facets

        facets.register(FACET)

        # Naming it is using it: drf-spectacular knows of the keys once the class exists.
        self.schema = schema
