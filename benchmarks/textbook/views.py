from __future__ import annotations

import base64
import hashlib
import hmac

from django.conf import settings
from django.db import transaction
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.textbook import tasks
from benchmarks.textbook.serializers import SignalSerializer


class IsSigned(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        digest = hmac.new(settings.WEBHOOK_SECRET.encode(), request.body + settings.WEBHOOK_URL.encode(), hashlib.sha1)
        given = request.headers.get("x-insightarc-signature", "").encode()
        return hmac.compare_digest(base64.b64encode(digest.digest()), given)


class ReceiveSignal(APIView):
    permission_classes = (IsSigned,)

    def post(self, request: Request) -> Response:
        serializer = SignalSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            signal = serializer.save()
            transaction.on_commit(lambda: tasks.process_signal.delay(signal.pk))
        return Response({"id": signal.pk, "status": "accepted"})
