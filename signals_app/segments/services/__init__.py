"""What other rooms may ask of segments: who is in one, how many, and what a tree being edited means."""

from signals_app.segments.services.audiences import (
    AudienceSample,
    count_and_sample,
    matching_customers,
    profile_values,
    segment_customers,
    segments_of,
)
from signals_app.segments.services.checking import CheckedTree, check_tree, field_distribution
from signals_app.segments.services.counts import count_segment, due_segments
from signals_app.segments.services.sampling import Sample, sample_of

__all__ = [
    "AudienceSample",
    "CheckedTree",
    "Sample",
    "check_tree",
    "count_and_sample",
    "count_segment",
    "due_segments",
    "field_distribution",
    "matching_customers",
    "profile_values",
    "sample_of",
    "segment_customers",
    "segments_of",
]
