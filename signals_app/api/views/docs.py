from __future__ import annotations

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.utils.decorators import method_decorator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


class Schema(SpectacularAPIView):
    """The OpenAPI description of this API; it says nothing about any store, so it needs no key."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    schema = None


# Swagger UI sets styles and pictures inline; its scripts come from files of ours like all others.
@method_decorator(csp_replace({"style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]}), name="dispatch")
class Docs(SpectacularSwaggerSplitView):
    """The same for people, to read and to try."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    schema = None
    url_name = "api:schema"
