"""The Celery application; workers start with `celery -A insightarc_crm`."""

import os

from celery import Celery

from insightarc_crm import embedded_broker, task_reports

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insightarc_crm.settings")
embedded_broker.register()
task_reports.connect()

app = Celery("insightarc_crm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
