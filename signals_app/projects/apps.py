from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "signals_app.projects"
    label = "projects"
    verbose_name = "Stores and access"
