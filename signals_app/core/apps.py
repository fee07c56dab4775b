from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "signals_app.core"
    label = "core"
    verbose_name = "Shared kernel"

    def ready(self) -> None:
        from signals_app.core import arrays, lookups

        arrays.register_lookups()
        lookups.register_lookups()
