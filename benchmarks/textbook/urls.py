from django.urls import path

from benchmarks.textbook.views import ReceiveSignal

urlpatterns = [path("webhooks/insightarc/", ReceiveSignal.as_view())]
