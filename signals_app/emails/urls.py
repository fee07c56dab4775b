from django.urls import path

from signals_app.emails import views

app_name = "emails"
urlpatterns = [path("e/u/<str:token>", views.preferences, name="preferences")]
