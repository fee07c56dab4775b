from django.urls import re_path

from signals_app.webhooks import views
from signals_app.webhooks.measures import measured

urlpatterns = [
    # With and without the last slash: the sender posts to the text it was given, and a redirect would lose the body.
    re_path(
        r"^webhooks/insightarc/(?P<source_id>[^/]*)/?$",
        measured(views.ReceiveWebhook.as_view()),
        name="receive-webhook",
    ),
]
