"""How the admin looks: names, colours and files for its theme."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "insightarc_crm",
    "SITE_HEADER": "insightarc_crm",
    "SITE_SYMBOL": "ads_click",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("insightarc_crm/favicon.svg")}
    ],
    "SITE_URL": None,
    "SHOW_BACK_BUTTON": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "STYLES": [lambda request: static("insightarc_crm/css/admin.css")],
    "SCRIPTS": [lambda request: static("insightarc_crm/js/admin.js")],
    "COLORS": {
        "primary": {
            "50": "oklch(97.6% .015 190)",
            "100": "oklch(94.5% .04 190)",
            "200": "oklch(89.5% .07 190)",
            "300": "oklch(82.5% .1 190)",
            "400": "oklch(74% .12 191)",
            "500": "oklch(63% .115 193)",
            "600": "oklch(52% .095 196)",
            "700": "oklch(45% .082 198)",
            "800": "oklch(38.5% .068 200)",
            "900": "oklch(33% .055 202)",
            "950": "oklch(25% .045 204)",
        },
    },
}
