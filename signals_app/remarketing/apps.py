from django.apps import AppConfig


class RemarketingConfig(AppConfig):
    name = "signals_app.remarketing"
    label = "remarketing"
    verbose_name = "Automations"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.emails import guards
        from signals_app.emails.constants import MessagePurpose
        from signals_app.remarketing.exports import ACTIVITY_EXPORT
        from signals_app.remarketing.facet import FACET
        from signals_app.remarketing.services import send_guard
        from signals_app.remarketing.signal_fields import register_fields
        from signals_app.transfers import kinds

        register_fields()
        facets.register(FACET)
        kinds.register_export(ACTIVITY_EXPORT)
        guards.register(MessagePurpose.REMARKETING, send_guard)
