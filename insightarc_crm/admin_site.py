"""The admin site: its name, its navigation and its pages that belong to no single room."""

from __future__ import annotations

from signals_app.core.admin import BaseAdminSite


class CrmAdminSite(BaseAdminSite):
    site_title = "insightarc_crm"
    site_header = "insightarc_crm"
