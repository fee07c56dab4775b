from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class InsightarcCrmConfig(AppConfig):
    name = "insightarc_crm"
    verbose_name = "insightarc_crm"
    default = True


class CrmAdminConfig(admin_apps.AdminConfig):
    """Django's admin with our site as the default one, so that every room registers with it."""

    default_site = "insightarc_crm.admin_site.CrmAdminSite"
    default = False
