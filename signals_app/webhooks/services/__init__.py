"""What other rooms, pages and commands may do with a connection to Insightarc."""

from signals_app.webhooks.services.coverage import CoverageDay, CoverageReport, coverage, identity_request
from signals_app.webhooks.services.diagnosing import NothingToMend, diagnose_failures, forget_failures, mend
from signals_app.webhooks.services.probing import ProbeReport, probe
from signals_app.webhooks.services.replaying import release_parked, replay
from signals_app.webhooks.services.sources import (
    SecretReport,
    check_unchecked,
    configure_source,
    create_source,
    paste_secret,
    pause,
    public_url,
    unpause,
    webhook_path,
)

__all__ = [
    "CoverageDay",
    "CoverageReport",
    "NothingToMend",
    "ProbeReport",
    "SecretReport",
    "check_unchecked",
    "configure_source",
    "coverage",
    "create_source",
    "diagnose_failures",
    "forget_failures",
    "identity_request",
    "mend",
    "paste_secret",
    "pause",
    "probe",
    "public_url",
    "release_parked",
    "replay",
    "unpause",
    "webhook_path",
]
