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


INTERESTS_SHOWN = 50
"""Interests listed for one profile, at most; more are kept."""
