from django.urls import re_path

from signals_app.storefront import views

app_name = "storefront"
urlpatterns = [
    # With and without the last slash: a redirect would lose the body.
    re_path(r"^t/(?P<public_key>[^/]+)/identify/?$", views.identify, name="identify"),
]
