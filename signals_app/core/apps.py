from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "signals_app.core"
    label = "core"
    verbose_name = "Shared kernel"
