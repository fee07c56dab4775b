from django.apps import AppConfig


class RemarketingConfig(AppConfig):
    name = "signals_app.remarketing"
    label = "remarketing"
    verbose_name = "Automations"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.emails import guards
        from signals_app.emails.constants import MessagePurpose
        from signals_app.remarketing.facet import FACET
        from signals_app.remarketing.services import send_guard
        from signals_app.remarketing.signal_fields import register_fields

        register_fields()
        facets.register(FACET)
        guards.register(MessagePurpose.REMARKETING, send_guard)
