from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    name = "signals_app.segments"
    label = "segments"
    verbose_name = "Segments"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.segments.exports import SEGMENT_EXPORT
        from signals_app.segments.facet import FACET
        from signals_app.segments.profile_fields import register_profile_fields
        from signals_app.transfers import kinds

        register_profile_fields()
        facets.register(FACET)
        kinds.register_export(SEGMENT_EXPORT)
