import os

from celery import Celery

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.textbook.settings"
app = Celery("textbook")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["benchmarks.textbook"])
