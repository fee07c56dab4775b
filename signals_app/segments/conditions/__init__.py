"""
The condition language: one tree, two compilers.

A tree is `{}` (holds for everyone), `{"all": [tree, ...]}`, `{"any": [tree, ...]}`, `{"not": tree}` or a leaf
`{"field": "drop_proba", "op": "gte", "value": 0.8}`. `to_q` asks the database, `holds` asks a dict of values; both give
the same answer (`Columns` is `holds` for many dicts at once), and both know only true and false: a comparison with an
unknown value is false (so its `not` is true). The two exceptions say so in their name: `is_unknown`, and
`not_within_days`, which also holds for what never happened.
A date that was typed is one on the store's clock, of which `parse` is told; to the compilers it is a moment like any
other. "In the last days" means so many times 24 hours until now, on every clock.
Text is compared letter by letter, case included, since databases disagree on what else "equal" could mean.
"""

from signals_app.segments.conditions.columns import Columns
from signals_app.segments.conditions.database import to_q
from signals_app.segments.conditions.forgetting import without_person
from signals_app.segments.conditions.predicate import ConditionResult, evaluate, holds
from signals_app.segments.conditions.tree import (
    MAX_DEPTH,
    OPS_BY_TYPE,
    OPS_WITHOUT_VALUE,
    All,
    Any_,
    InvalidCondition,
    Leaf,
    Node,
    Not,
    field_names,
    leaves,
    parse,
    problems,
    readable_leaves,
)
from signals_app.segments.conditions.wording import (
    DATE_OP_WORDS,
    OP_WORDS,
    amount_text,
    sentence,
    value_text,
)

__all__ = [
    "DATE_OP_WORDS",
    "MAX_DEPTH",
    "OPS_BY_TYPE",
    "OPS_WITHOUT_VALUE",
    "OP_WORDS",
    "All",
    "Any_",
    "Columns",
    "ConditionResult",
    "InvalidCondition",
    "Leaf",
    "Node",
    "Not",
    "amount_text",
    "evaluate",
    "field_names",
    "holds",
    "leaves",
    "parse",
    "problems",
    "readable_leaves",
    "sentence",
    "to_q",
    "value_text",
    "without_person",
]
