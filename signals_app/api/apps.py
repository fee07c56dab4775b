from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "signals_app.api"
    label = "api"
    verbose_name = "API"
