from __future__ import annotations

import json
import random
import secrets
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from signals_app.core.exceptions import PermanentError, TransientError
from signals_app.webhooks import simulation
from signals_app.webhooks.constants import SignatureForm
from signals_app.webhooks.twin import ProbeRefused, Twin, live_events, paced


class Command(BaseCommand):
    help = (
        "Post signals as Insightarc would: HEAD first, then signed POSTs of visits that make sense. JSON summary last."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", required=True, help="the registered address, which is signed")
        parser.add_argument("--secret", required=True, help="the webhook secret")
        parser.add_argument("--post-to", help="where to post, if not to the registered address")
        parser.add_argument("--rate", type=float, default=2.0, help="signals a second (default: %(default)s)")
        parser.add_argument(
            "--seconds", type=float, default=60.0, help="how long (default: %(default)s); 0: until stopped"
        )
        parser.add_argument("--shoppers", type=int, default=200, help="different shoppers (default: %(default)s)")
        parser.add_argument("--seed", type=int, help="the same seed, the same shoppers and visits")
        parser.add_argument("--scenario", choices=[scenario.value for scenario in simulation.Scenario])
        parser.add_argument(
            "--signature-form",
            choices=[form.value.lower() for form in SignatureForm],
            default=SignatureForm.AS_SENT.value.lower(),
            help="what of a body is signed (default: %(default)s)",
        )
        parser.add_argument("--shop-url", default="https://nordlicht.example", help="the shop whose pages are seen")
        parser.add_argument("--api-key", default="", help="also play the shop: report sign-ups and orders to the API")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["rate"] <= 0 or options["shoppers"] < 1 or options["seconds"] < 0:
            raise CommandError("--rate and --shoppers must be positive, --seconds must not be negative.")
        twin = Twin(
            url=options["url"],
            secret=options["secret"],
            post_to=options["post_to"] or options["url"],
            api_key=options["api_key"],
            signature_form=SignatureForm(options["signature_form"].upper()),
        )
        try:
            twin.probe()
        except (ProbeRefused, PermanentError, TransientError) as error:
            raise CommandError(str(error)) from error
        seed = options["seed"]
        events = live_events(
            shop=simulation.default_shop(options["shop_url"]),
            seed=simulation.DEFAULT_SEED if seed is None else seed,
            shoppers=options["shoppers"],
            luck=random.Random(secrets.randbits(64) if seed is None else seed),  # noqa: S311 - a simulation
            scenario=simulation.Scenario(options["scenario"]) if options["scenario"] else None,
        )
        begun = time.monotonic()
        try:
            paced(events, rate=options["rate"], seconds=options["seconds"], send=twin.send)
        except KeyboardInterrupt:
            self.stderr.write("Stopped.")
        summary = dict(twin.counts) | {"answers": dict(twin.answers), "seconds": round(time.monotonic() - begun, 1)}
        self.stdout.write(json.dumps(summary))
