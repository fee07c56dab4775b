from django.apps import AppConfig


class RemarketingConfig(AppConfig):
    name = "signals_app.remarketing"
    label = "remarketing"
    verbose_name = "Automations"

    def ready(self) -> None:
        from signals_app.remarketing.signal_fields import register_fields

        register_fields()
