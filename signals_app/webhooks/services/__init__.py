"""What other rooms, pages and commands may do with a connection to Insightarc."""

from signals_app.webhooks.services.coverage import CoverageDay, CoverageReport, coverage, identity_request
from signals_app.webhooks.services.probing import ProbeReport, probe
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
    "COUNTED_TO",
    "CoverageDay",
    "CoverageReport",
    "ProbeReport",
    "Progress",
    "SecretReport",
    "Selection",
    "bring_back",
    "check_unchecked",
    "configure_source",
    "continue_replay",
    "count_selected",
    "coverage",
    "create_source",
    "identity_request",
    "in_slices",
    "paste_secret",
    "pause",
    "probe",
    "public_url",
    "release_parked",
    "replay",
    "replay_slice",
    "set_aside",
    "start_replays",
    "stop_replay",
    "unpause",
    "webhook_path",
]
