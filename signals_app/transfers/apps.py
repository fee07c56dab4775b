from django.apps import AppConfig


class TransfersConfig(AppConfig):
    name = "signals_app.transfers"
    label = "transfers"
    verbose_name = "Imports and exports"
