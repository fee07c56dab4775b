from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "signals_app.webhooks"
    label = "webhooks"
    verbose_name = "Insightarc connection"
