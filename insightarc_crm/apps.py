from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin import apps as admin_apps


class InsightarcCrmConfig(AppConfig):
    name = "insightarc_crm"
    verbose_name = "insightarc_crm"
    default = True

    def ready(self) -> None:
        from insightarc_crm import checks  # noqa: F401 - registers them


class CrmAdminConfig(admin_apps.AdminConfig):
    """Django's admin with our site as the default one, so that every room registers with it."""

    default_site = "insightarc_crm.admin_site.CrmAdminSite"
    default = False

    def ready(self) -> None:
        super().ready()
        # Users, groups and schedules belong to no store: their pages would show what is another store's. People are
        # managed as team members.
        for model in [model for model in admin.site._registry if not model.__module__.startswith("signals_app.")]:
            admin.site.unregister(model)
