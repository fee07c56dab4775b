"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path

from insightarc_crm import health, metrics

urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path("admin/", admin.site.urls),
    path("", include("signals_app.webhooks.urls")),
    path("", include("signals_app.storefront.urls")),
    path("", include("signals_app.emails.urls")),
    path("api/v1/", include("signals_app.api.urls")),
]
