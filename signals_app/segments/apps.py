from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    name = "signals_app.segments"
    label = "segments"
    verbose_name = "Segments"
