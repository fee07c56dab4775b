"""The composition root: settings, URLs, the Celery app, the admin site and home page. No room imports it."""

from insightarc_crm.celery import app as celery_app

__all__ = ["celery_app"]
