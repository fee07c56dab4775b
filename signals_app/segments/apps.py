from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    name = "signals_app.segments"
    label = "segments"
    verbose_name = "Segments"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.segments.facet import FACET
        from signals_app.segments.profile_fields import register_profile_fields

        register_profile_fields()
        facets.register(FACET)
