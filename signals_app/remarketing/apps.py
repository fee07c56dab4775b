from django.apps import AppConfig


class RemarketingConfig(AppConfig):
    name = "signals_app.remarketing"
    label = "remarketing"
    verbose_name = "Automations"
