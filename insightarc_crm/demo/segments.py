"""The segments that the demo store begins with: one of intent with a group in it, and one of buyers."""

from __future__ import annotations

from typing import Any

from signals_app.projects.models import Project
from signals_app.segments.models import Segment
from signals_app.shopper_signals.constants import Stage

SEGMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "About to leave, may be mailed": (
        "Much intent, and on the way out. They have agreed to get mails.",
        {
            "all": [
                {"field": "intent_score", "op": "gte", "value": 60},
                {"field": "consent_marketing", "op": "eq", "value": "granted"},
                {
                    "any": [
                        {"field": "last_drop_proba", "op": "gte", "value": 0.8},
                        {"field": "stage", "op": "in", "value": [Stage.LEAVING_WITH_INTENT.value]},
                    ]
                },
            ]
        },
    ),
    "Bought more than once": ("", {"all": [{"field": "order_count", "op": "gte", "value": 2}]}),
}


def add_segments(*, project: Project) -> None:
    for name, (description, conditions) in SEGMENTS.items():
        Segment.objects.create(project=project, name=name, description=description, conditions=conditions)
