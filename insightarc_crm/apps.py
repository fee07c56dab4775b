from django.apps import AppConfig


class InsightarcCrmConfig(AppConfig):
    name = "insightarc_crm"
    verbose_name = "insightarc_crm"
