from __future__ import annotations

from rest_framework.renderers import JSONRenderer


class NdjsonRenderer(JSONRenderer):
    """One JSON object a line. A list is streamed by its view; what comes here is an error, one line of its own."""

    media_type = "application/x-ndjson"
    format = "ndjson"
