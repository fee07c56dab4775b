from django.urls import re_path

from signals_app.webhooks import shop_views, views
from signals_app.webhooks.measures import measured

urlpatterns = [
    # With and without the last slash: the sender posts to the text it was given, and a redirect would lose the body.
    re_path(
        r"^webhooks/insightarc/(?P<source_id>[^/]*)/?$",
        measured(views.ReceiveWebhook.as_view()),
        name="receive-webhook",
    ),
    re_path(
        r"^webhooks/shopify/(?P<shop_id>[^/]*)/?$",
        measured(shop_views.ReceiveShopWebhook.as_view()),
        name="receive-shop-webhook",
    ),
]
