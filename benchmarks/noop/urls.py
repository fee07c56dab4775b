from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class ReceiveNothing(APIView):
    def post(self, request: Request) -> Response:
        return Response({"status": "accepted"})


urlpatterns = [path("webhooks/insightarc/", ReceiveNothing.as_view())]
