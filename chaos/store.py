"""The store that the load belongs to: set up by the program's own command, with a sender that a real service accepts."""

from __future__ import annotations

import json

from chaos.load import Address
from chaos.program import Program
from signals_app.emails.models import SenderIdentity
from signals_app.projects.models import Project
from signals_app.remarketing.models import SendPolicy

SLUG = "chaos"
SECRET = "whsec_chaos"  # noqa: S105 - of a store that lives for minutes
HOLDOUT_PERCENT = 10
MAILS_A_DAY = 1


def set_up(program: Program) -> Address:
    """Migrate, make the store with the example automations sending at once, and return how it is reached."""
    program.manage("migrate", "--verbosity", "0")
    url = f"http://127.0.0.1:{program.ports[0]}/webhooks/insightarc/{{source_id}}/"
    examples = ("--with-examples", "--wait-minutes", "0", "--holdout", str(HOLDOUT_PERCENT))
    printed = program.manage("setup_project", SLUG, "--webhook-url", url, "--secret", SECRET, *examples, "--json")
    facts = json.loads(printed.splitlines()[-1])
    project = Project.objects.get(slug=SLUG)
    SenderIdentity.objects.filter(project=project).update(is_placeholder=False)
    SendPolicy.objects.update_or_create(
        project=project,
        defaults={"max_per_day": MAILS_A_DAY, "max_per_week": 3, "quiet_from_hour": None, "quiet_until_hour": None},
    )
    return Address(
        ports=program.ports,
        webhook_path=facts["webhook_path"],
        webhook_url=facts["webhook_url"],
        secret=SECRET,
        api_key=facts["api_key"],
    )
