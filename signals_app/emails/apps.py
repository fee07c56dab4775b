from django.apps import AppConfig


class EmailsConfig(AppConfig):
    name = "signals_app.emails"
    label = "emails"
    verbose_name = "E-mails"
