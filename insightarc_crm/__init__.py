"""The composition root: settings, URLs, the Celery app, the admin site and home page. No room imports it."""

from insightarc_crm import process_metrics

process_metrics.share()  # before any room is imported, and with it the metrics that it makes

from insightarc_crm.celery import app as celery_app  # noqa: E402 - see above

__all__ = ["celery_app"]
