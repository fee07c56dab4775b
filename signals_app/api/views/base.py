from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import reduce
from typing import Any, ClassVar

from django.db.models import Model, Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.http import http_date
from rest_framework import generics
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from signals_app.api import idempotency
from signals_app.api.pagination import DEFAULT_PAGE_SIZE, Keyset, Ordering, as_of, page_answer, page_urls
from signals_app.api.renderers import NdjsonRenderer
from signals_app.api.serializers.base import QuerySerializer, StrictSerializer
from signals_app.audit import services as audit
from signals_app.projects.models import ApiKey, Project

CHANGE_ORDERINGS = {
    "created_at": Ordering("created_at", "datetime"),
    "updated_at": Ordering("updated_at", "datetime"),
}


class ProjectView(generics.GenericAPIView[Any]):
    """A view of one store: that of the key."""

    @property
    def project(self) -> Project:
        if not isinstance(self.request.auth, ApiKey):
            raise NotFound  # unreachable behind HasScope; without a store there is nothing to show
        return self.request.auth.project


class RowView(ProjectView, generics.RetrieveAPIView[Any]):
    """One row of the store by its id; of another store's, the answer is that there is none."""

    lookup_url_kwarg = "id"


class ListView(ProjectView):
    """
    A list of the store's rows: pages of JSON, or all of them as lines (`Accept: application/x-ndjson`).

    `get_queryset()` starts from the store, `narrow()` applies what was asked for, `prepare()` loads what the
    serializer needs for a page of rows and returns its context.
    """

    renderer_classes = (JSONRenderer, NdjsonRenderer)
    pagination_class = None
    query_class: ClassVar[type[QuerySerializer]]
    orderings: ClassVar[dict[str, Ordering]]
    default_ordering: ClassVar[str]
    changed_fields: ClassVar[tuple[str, ...]]
    """What `updated_since` means here: one of these times is not before it."""

    def get(self, request: Request, **kwargs: Any) -> Response | StreamingHttpResponse:
        asked = self.read_query()
        queryset = self.narrow(self.get_queryset(), asked)
        if "updated_since" in asked:
            since = asked["updated_since"]
            queryset = queryset.filter(
                reduce(operator.or_, (Q(**{f"{name}__gte": since}) for name in self.changed_fields))
            )
        keyset = Keyset(queryset, self.orderings, asked.get("ordering") or self.default_ordering)
        if request.accepted_renderer.format == NdjsonRenderer.format:
            moment = as_of()
            return StreamingHttpResponse(
                self._lines(keyset),
                content_type=NdjsonRenderer.media_type,
                headers={"As-Of": moment.isoformat(), "Date": http_date(timezone.now().timestamp())},
            )
        rows, following, preceding = keyset.page(
            cursor=asked.get("cursor", ""), size=asked.get("page_size", DEFAULT_PAGE_SIZE)
        )
        return Response(page_answer(self.serialize(rows), **page_urls(request, following, preceding)))

    def read_query(self) -> dict[str, Any]:
        query = self.query_class(data=self.request.query_params, context={"project": self.project})
        query.is_valid(raise_exception=True)
        return dict(query.validated_data)

    def narrow(self, queryset: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
        return queryset

    def prepare(self, rows: list[Any]) -> dict[str, Any]:
        return {}

    def serialize(self, rows: list[Any]) -> list[Any]:
        context = self.get_serializer_context() | self.prepare(rows)
        return list(self.get_serializer_class()(rows, many=True, context=context).data)

    def _lines(self, keyset: Keyset) -> Iterator[bytes]:
        renderer = JSONRenderer()
        for rows in keyset.chunks():
            for row in self.serialize(rows):
                yield renderer.render(row) + b"\n"


class WriteView(ProjectView):
    """Something to do once: checks the body, honours an `Idempotency-Key` and calls `write()`."""

    request_class: ClassVar[type[StrictSerializer]]

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        body = self.request_class(data=request.data)
        body.is_valid(raise_exception=True)
        (status_code, answer), is_replay = idempotency.once(
            request=request, project=self.project, write=lambda: self.write(body), now=timezone.now()
        )
        if isinstance(request.auth, ApiKey) and not is_replay:
            audit.note_key(key=request.auth, detail=self.get_view_name(), now=timezone.now())
        return Response(answer, status=status_code, headers={"Idempotent-Replayed": "true"} if is_replay else {})

    def write(self, body: Any) -> idempotency.Answer:
        """Do it and return the status and body of the answer."""
        raise NotImplementedError

    def answer(self, serializer: type[BaseSerializer[Any]], found: dict[str, Any] | Model) -> dict[str, Any]:
        return dict(serializer(found).data)


class NothingHere(APIView):
    """Answers every other address below /api/ in the API's own shape, whoever asks."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    schema = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.http_method_names = [request.method.lower()]
        setattr(self, request.method.lower(), self.refuse)
        return super().dispatch(request, *args, **kwargs)

    def refuse(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        hint = "" if request.path.endswith("/") else " Addresses end with a slash."
        raise NotFound(f"There is nothing at this address.{hint}")
