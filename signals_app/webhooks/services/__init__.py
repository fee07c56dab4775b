"""What other rooms, pages and commands may do with a connection to Insightarc."""

from signals_app.webhooks.services.alerts import mail_alerts, open_alerts
from signals_app.webhooks.services.arrivals import count_arrivals
from signals_app.webhooks.services.coverage import CoverageDay, CoverageReport, coverage
from signals_app.webhooks.services.coverage_counts import count_coverage
from signals_app.webhooks.services.diagnosing import NothingToMend, diagnose_failures, forget_failures, mend
from signals_app.webhooks.services.probing import ProbeReport, probe, probe_due
from signals_app.webhooks.services.replay_runs import (
    COUNTED_TO,
    Progress,
    Selection,
    continue_replay,
    count_selected,
    start_replays,
    stop_replay,
)
from signals_app.webhooks.services.replaying import (
    bring_back,
    in_slices,
    release_parked,
    replay,
    replay_slice,
    set_aside,
)
from signals_app.webhooks.services.shops import api_of as api_of_shop
from signals_app.webhooks.services.shops import connect_shop, give_secret, newest_secret
from signals_app.webhooks.services.sources import (
    SecretReport,
    check_unchecked,
    configure_source,
    create_source,
    forget_expired_secrets,
    keep_secret,
    paste_secret,
    pause,
    public_url,
    remove_secret,
    unpause,
    webhook_path,
)
from signals_app.webhooks.services.watching import oldest_waiting, waiting_sentence, watch

__all__ = [
    "COUNTED_TO",
    "CoverageDay",
    "CoverageReport",
    "NothingToMend",
    "ProbeReport",
    "Progress",
    "SecretReport",
    "Selection",
    "api_of_shop",
    "bring_back",
    "check_unchecked",
    "configure_source",
    "connect_shop",
    "continue_replay",
    "count_arrivals",
    "count_coverage",
    "count_selected",
    "coverage",
    "create_source",
    "diagnose_failures",
    "forget_expired_secrets",
    "forget_failures",
    "give_secret",
    "in_slices",
    "keep_secret",
    "mail_alerts",
    "mend",
    "newest_secret",
    "oldest_waiting",
    "open_alerts",
    "paste_secret",
    "pause",
    "probe",
    "probe_due",
    "public_url",
    "release_parked",
    "remove_secret",
    "replay",
    "replay_slice",
    "set_aside",
    "start_replays",
    "stop_replay",
    "unpause",
    "waiting_sentence",
    "watch",
    "webhook_path",
]
