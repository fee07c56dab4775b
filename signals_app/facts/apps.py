from django.apps import AppConfig


class FactsConfig(AppConfig):
    name = "signals_app.facts"
    label = "facts"
    verbose_name = "Facts"
