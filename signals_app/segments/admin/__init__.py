"""The pages where marketers describe audiences and see who is in them."""

from signals_app.segments.admin.segments import SegmentAdmin

__all__ = ["SegmentAdmin"]
