"""Admin pages that are composed of several rooms."""

from insightarc_crm.erasures import ErasureReportAdmin
from insightarc_crm.profiles import ProfileAdmin

__all__ = ["ErasureReportAdmin", "ProfileAdmin"]
