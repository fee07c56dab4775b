from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "signals_app.webhooks"
    label = "webhooks"
    verbose_name = "Insightarc connection"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.webhooks.facet import FACET

        facets.register(FACET)
