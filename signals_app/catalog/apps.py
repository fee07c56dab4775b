from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "signals_app.catalog"
    label = "catalog"
    verbose_name = "Catalogue"
