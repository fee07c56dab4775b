"""What a rule's trigger may ask of a signal."""

from signals_app.segments.fields import Field, FieldType, Scope

TYPES = {
    "stage": FieldType.CHOICE,
    "viewed_product_keys": FieldType.LIST,
    "visited_cart": FieldType.BOOLEAN,
    "is_clean": FieldType.BOOLEAN,
    "has_interest": FieldType.BOOLEAN,
}
NUMBERS = (
    *("drop_proba", "intent_score", "num_events", "performance", "performance_percentile", "num_loops", "avg_loops"),
    *("loops_ratio", "num_broken_buttons", "avg_broken_buttons", "dead_clicks_over_usual", "products_viewed"),
    *("most_views_of_one_product", "days_since_previous_signal"),
)
FIELDS = {
    name: Field(
        name=name,
        label=name,
        type=TYPES.get(name, FieldType.NUMBER),
        scope=Scope.SIGNAL,
        choices=(("bought_recently", "Bought recently"),) if name == "stage" else (),
    )
    for name in (*NUMBERS, *TYPES)
}
