from datetime import timedelta

from django.db.models import TextChoices


class Stage(TextChoices):
    BROWSING = "browsing", "Browsing"
    CONSIDERING = "considering", "Considering"
    HIGH_INTENT = "high_intent", "High intent"
    LEAVING_WITH_INTENT = "leaving_with_intent", "Leaving with intent"
    BOUGHT_RECENTLY = "bought_recently", "Bought recently"
    LAPSED = "lapsed", "Lapsed"


class InterestKind(TextChoices):
    PRODUCT = "product", "Product"
    CATEGORY = "category", "Category"
    BRAND = "brand", "Brand"
    SEARCH = "search", "Search"
    CONTENT = "content", "Content"


class RecomputeState(TextChoices):
    RUNNING = "RUNNING", "Running"
    DONE = "DONE", "Done"
    STOPPED = "STOPPED", "Stopped"


class RecomputePhase(TextChoices):
    """The catalogue's keys first: what a page shows is looked up by them."""

    PRODUCTS = "PRODUCTS", "Products"
    PROFILES = "PROFILES", "Profiles"


INTERESTS_SHOWN = 50
"""Interests listed for one profile, at most; more are kept."""

DAYS_COUNTED = 31
"""Days for which a profile keeps the number of signals, counted back from its last signal."""

LEAVING_DROP = 0.8
"""A shopper is about to leave from this exit likelihood on."""

VISIT_GAP = timedelta(minutes=30)
"""A pause this long, or longer, ends a visit."""

BASELINE_DAYS = 7
"""What is usual in a shop is taken from this many days, today included."""

BASELINE_MIN_SIGNALS = 20
"""Below this many signals nothing is called usual."""
