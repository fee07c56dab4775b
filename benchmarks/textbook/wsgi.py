import os

from django.core.wsgi import get_wsgi_application

from benchmarks.textbook.celery import app

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.textbook.settings"
application = get_wsgi_application()
app.set_default()
