from django.apps import AppConfig


class EmailsConfig(AppConfig):
    name = "signals_app.emails"
    label = "emails"
    verbose_name = "E-mails"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.emails.facet import FACET

        facets.register(FACET)
