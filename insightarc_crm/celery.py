"""The Celery application; workers start with `celery -A insightarc_crm`."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from insightarc_crm import embedded_broker, redis_broker, task_reports
from insightarc_crm.garbage import collect_only_what_is_new

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insightarc_crm.settings")
embedded_broker.register()
redis_broker.register()
task_reports.connect()

app = Celery("insightarc_crm")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_ready.connect
def _begin_work(**_: Any) -> None:
    collect_only_what_is_new()
