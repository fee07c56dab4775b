"""Admin pages that are composed of several rooms."""

from insightarc_crm.erasures import ErasureReportAdmin
from insightarc_crm.possible_duplicates import IdentityConflictAdmin
from insightarc_crm.profiles import ProfileAdmin
from insightarc_crm.url_patterns_page import UrlPatternsAdmin

__all__ = ["ErasureReportAdmin", "IdentityConflictAdmin", "ProfileAdmin", "UrlPatternsAdmin"]
