from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "signals_app.customers"
    label = "customers"
    verbose_name = "Profiles"
