"""From one refused request to the name of what was wrong with it, through the real address, the worker and the page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from signals_app.projects.constants import Role
from signals_app.projects.models import Project
from signals_app.webhooks import rejections, services, signature, tasks
from signals_app.webhooks.constants import (
    EXPLAINED_KEPT,
    FAILURES_KEPT,
    InboxState,
    Mismatch,
    RejectionReason,
    Remedy,
    SignatureForm,
)
from signals_app.webhooks.models import (
    HourlyCount,
    InboxItem,
    SignatureFailure,
    WebhookDelivery,
    WebhookSecret,
    WebhookSource,
)
from signals_app.webhooks.services import diagnosing

pytestmark = pytest.mark.django_db

SECRET = "whsec_test"
BODY = '{"drop_proba": 0.50, "name": "café – 👟"}'.encode()
PRINTED = '{"drop_proba":0.5,"name":"café – 👟"}'.encode()
LOW = BODY.decode().encode("utf-16-le")[::2]
Post = Callable[..., Any]
Refuse = Callable[..., SignatureFailure]


def b64(body: bytes, url: str, secret: str = SECRET, hash_: Callable[..., Any] = hashlib.sha1) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body + url.encode(), hash_).digest()).decode()


def page(source: WebhookSource) -> str:
    return reverse("admin:webhooks_webhooksource_change", args=[source.pk])


def mending(source: WebhookSource, failure: SignatureFailure, remedy: str) -> str:
    return reverse("admin:webhooks_webhooksource_mend", args=[source.pk, failure.pk, remedy])


def in_words(answer: Any) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def operator(sign_in: Callable[..., Client]) -> Client:
    return sign_in(Role.OPERATOR)


@pytest.fixture(autouse=True)
def _no_flood_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests let through in this second is not this test's."""
    monkeypatch.setattr(rejections, "_gate", rejections.FloodGate())
    monkeypatch.setattr(rejections, "_unchecked_gate", rejections.FloodGate(rejections.UNCHECKED_WRITES_A_SECOND))


@pytest.fixture
def url(source: WebhookSource) -> str:
    (registered,) = source.registered_urls
    return str(registered)


@pytest.fixture
def refuse(client: Client, source: WebhookSource) -> Refuse:
    """Post a body with a header that is refused, let the worker look at it, and return the row."""

    def refuse(header: str, *, body: bytes = BODY, query: str = "", **environ: Any) -> SignatureFailure:
        SignatureFailure.objects.update(received_at=timezone.now() - timedelta(minutes=1))
        response = client.generic(
            "POST",
            f"/webhooks/insightarc/{source.pk}/{query}",
            body,
            "application/json",
            headers={signature.HEADER: header},
            **environ,
        )
        assert response.status_code == 401
        tasks.diagnose_failures()
        return SignatureFailure.objects.latest("pk")

    return refuse


VARIANTS: dict[Mismatch, Callable[[str], str]] = {
    Mismatch.SCHEME: lambda url: b64(BODY, "http" + url[5:]),
    Mismatch.SLASH: lambda url: b64(BODY, url[:-1]),
    Mismatch.HOST_CASE: lambda url: b64(BODY, url.replace("crm", "Crm")),
    Mismatch.PORT: lambda url: b64(BODY, url.replace(".com", ".com:443")),
    Mismatch.WWW: lambda url: b64(BODY, url.replace("crm.", "www.crm.")),
    Mismatch.STRINGIFIED: lambda url: b64(PRINTED, url),
    Mismatch.LOW_BYTE: lambda url: b64(LOW, url),
    Mismatch.BODY_ONLY: lambda url: b64(BODY, ""),
    Mismatch.URL_ONLY: lambda url: b64(b"", url),
    Mismatch.PREVIOUS_SECRET: lambda url: b64(BODY, url, "whsec_old"),
    Mismatch.OTHER_CONNECTION: lambda url: b64(BODY, url, "whsec_other"),
    Mismatch.SHA256: lambda url: b64(BODY, url, hash_=hashlib.sha256),
    Mismatch.HEX: lambda url: base64.b64decode(b64(BODY, url)).hex(),
    Mismatch.BASE64URL: lambda url: b64(BODY, url).rstrip("=").replace("+", "-").replace("/", "_"),
    Mismatch.NO_SIGNATURE: lambda url: "",
    Mismatch.NO_MATCH: lambda url: b64(BODY, url, "whsec_unknown"),
}


class TestOneRefusedRequestIsEnough:
    @pytest.fixture(autouse=True)
    def _other_secrets(self, source: WebhookSource) -> None:
        expired = timezone.now() - timedelta(days=1)
        WebhookSecret.objects.create(source=source, secret="whsec_old", expires_at=expired)
        other = WebhookSource.objects.create(project=source.project, registered_urls=["https://crm.example.com/other/"])
        WebhookSecret.objects.create(source=other, secret="whsec_other")

    @pytest.mark.parametrize("mismatch", VARIANTS)
    def test_to_name_what_differs(
        self, refuse: Refuse, url: str, source: WebhookSource, operator: Client, mismatch: Mismatch
    ) -> None:
        row = refuse(VARIANTS[mismatch](url))

        assert (row.diagnosis, row.differences) == (mismatch, [mismatch])
        assert WebhookDelivery.objects.count() == 0
        shown = in_words(operator.get(page(source)))
        assert "Requests come in, but none of them verifies." in shown
        assert "Not verified" in shown
        assert (mismatch.label.lower() if row.signed_url not in ("", url) else mismatch.label) in shown

    @pytest.mark.parametrize(
        ("registered", "signed", "mismatch"),
        [
            ("?b=2&a=1", "?a=1&b=2", Mismatch.QUERY_ORDER),
            ("caf%C3%A9", "caf%c3%a9", Mismatch.PERCENT_ENCODING),
            ("?a=b+c", "?a=b%20c", Mismatch.PERCENT_ENCODING),
        ],
    )
    def test_of_parameters_and_escapes(
        self, refuse: Refuse, source: WebhookSource, url: str, registered: str, signed: str, mismatch: Mismatch
    ) -> None:
        services.configure_source(source=source, urls=[url + registered])

        assert refuse(b64(BODY, url + signed)).diagnosis == mismatch

    def test_of_a_name_with_letters_of_its_language(self, refuse: Refuse, source: WebhookSource) -> None:
        services.configure_source(source=source, urls=["https://bücher.example/hook"])

        row = refuse(b64(BODY, "https://xn--bcher-kva.example/hook"))

        assert (row.diagnosis, row.signed_url) == (Mismatch.PUNYCODE, "https://xn--bcher-kva.example/hook")

    def test_of_parameters_that_only_the_request_shows(self, refuse: Refuse, url: str, settings: Any) -> None:
        settings.ALLOWED_HOSTS = ["crm.example.com"]

        row = refuse(b64(BODY, f"{url}?shop=7"), query="?shop=7", HTTP_HOST="crm.example.com", secure=True)

        assert (row.diagnosis, row.signed_url, row.known_url) == (Mismatch.QUERY, f"{url}?shop=7", url)

    def test_of_the_host_that_only_the_request_shows(
        self, refuse: Refuse, url: str, source: WebhookSource, settings: Any
    ) -> None:
        settings.ALLOWED_HOSTS = ["hooks.example.net"]
        signed = f"http://hooks.example.net/webhooks/insightarc/{source.pk}/"

        row = refuse(b64(BODY, signed), HTTP_HOST="hooks.example.net")

        assert (row.diagnosis, row.signed_url, row.known_url) == (Mismatch.OTHER_ADDRESS, signed, url)

    @pytest.mark.parametrize(
        ("make", "both"),
        [
            (lambda url: b64(BODY, "http" + url[5:-1]), {"SCHEME", "SLASH"}),
            (lambda url: b64(LOW, url[:-1]), {"SLASH", "LOW_BYTE"}),
            (lambda url: b64(PRINTED, url, "whsec_old"), {"STRINGIFIED", "PREVIOUS_SECRET"}),
            (lambda url: base64.b64decode(b64(BODY, url, hash_=hashlib.sha256)).hex(), {"SHA256", "HEX"}),
        ],
    )
    def test_to_name_two_things(self, refuse: Refuse, url: str, make: Callable[[str], str], both: set[str]) -> None:
        assert set(refuse(make(url)).differences) == both


class TestOneClick:
    def test_registers_the_address_and_takes_in_what_was_refused(
        self, operator: Client, refuse: Refuse, source: WebhookSource, url: str, client: Client
    ) -> None:
        row = refuse(b64(BODY, url[:-1]))
        shown = in_words(operator.get(page(source)))

        answer = in_words(operator.post(mending(source, row, Remedy.REGISTER_ADDRESS), follow=True))

        assert f"{url[:-1]}</code>" in shown
        assert "Register this address" in shown
        source.refresh_from_db()
        assert source.registered_urls == [url, url[:-1]]
        assert "1 of the 1 requests put aside verify now and were accepted" in answer
        delivery = WebhookDelivery.objects.get()
        assert (bytes(delivery.body), delivery.received_at) == (BODY, row.received_at)
        assert InboxItem.objects.get().state == InboxState.PENDING
        again = client.generic(
            "POST",
            f"/webhooks/insightarc/{source.pk}/",
            b"{}",
            "application/json",
            headers={signature.HEADER: b64(b"{}", url[:-1])},
        )
        assert again.status_code == 200

    @pytest.mark.parametrize(("form", "signed"), [("LOW_BYTE", LOW), ("STRINGIFIED", PRINTED)])
    def test_accepts_a_form_and_the_documented_one_stays_right(
        self,
        operator: Client,
        refuse: Refuse,
        source: WebhookSource,
        url: str,
        post_signal: Post,
        form: str,
        signed: bytes,
    ) -> None:
        row = refuse(b64(signed, url))

        operator.post(mending(source, row, Remedy.ACCEPT_FORM))

        source.refresh_from_db()
        assert source.signature_form == form
        assert bytes(WebhookDelivery.objects.get().body) == BODY
        other = BODY.replace(b"0.50", b"0.70")
        in_form = signature.sign(SECRET, other, url, SignatureForm(form))
        assert post_signal(other, headers={signature.HEADER: in_form}).json()["status"] == "accepted"
        assert post_signal(BODY.replace(b"0.50", b"0.90")).json()["status"] == "accepted"
        assert post_signal(other, headers={signature.HEADER: b64(other, "")}).status_code == 401

    def test_keeps_the_previous_secret_for_14_days(
        self, operator: Client, refuse: Refuse, source: WebhookSource, url: str
    ) -> None:
        expired = timezone.now() - timedelta(hours=1)
        old = WebhookSecret.objects.create(source=source, secret="whsec_old", expires_at=expired)
        row = refuse(b64(BODY, url, "whsec_old"))

        operator.post(mending(source, row, Remedy.KEEP_SECRET))

        old.refresh_from_db()
        assert old.expires_at is not None
        assert timedelta(days=13) < old.expires_at - timezone.now() <= timedelta(days=14)
        assert WebhookDelivery.objects.count() == 1

    def test_asks_for_each_of_two_changes(
        self, operator: Client, refuse: Refuse, source: WebhookSource, url: str
    ) -> None:
        row = refuse(b64(LOW, url[:-1]))
        shown = in_words(operator.get(page(source)))
        assert "Register this address" in shown
        assert "Accept this form of signature" in shown

        operator.post(mending(source, row, Remedy.REGISTER_ADDRESS))
        assert WebhookDelivery.objects.count() == 0
        shown = in_words(operator.get(page(source)))
        assert "Register this address" not in shown
        operator.post(mending(source, row, Remedy.ACCEPT_FORM))

        assert WebhookDelivery.objects.count() == 1

    def test_is_not_offered_for_what_protects_nothing(
        self, operator: Client, refuse: Refuse, source: WebhookSource, url: str
    ) -> None:
        for header in (b64(BODY, ""), b64(b"", url), b64(BODY, url[:-1], hash_=hashlib.sha256)):
            row = refuse(header)
            for remedy in (Remedy.ACCEPT_FORM, Remedy.KEEP_SECRET):
                answer = in_words(operator.post(mending(source, row, remedy), follow=True))
                assert "This request was not signed" in answer

        shown = in_words(operator.get(page(source)))
        source.refresh_from_db()
        assert "/failures/" not in shown
        assert (source.registered_urls, source.signature_form) == ([url], SignatureForm.AS_SENT)

    def test_is_for_those_who_may_paste_a_secret_of_this_store(
        self, sign_in: Callable[..., Client], refuse: Refuse, source: WebhookSource, url: str
    ) -> None:
        row = refuse(b64(BODY, url[:-1]))
        elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere", shop_url="https://e.example")
        link = mending(source, row, Remedy.REGISTER_ADDRESS)

        assert sign_in(Role.OPERATOR).get(link).status_code == 403
        assert sign_in(Role.MARKETER).post(link).status_code == 403
        assert sign_in(Role.OPERATOR, store=elsewhere).post(link).status_code == 404
        assert sign_in(Role.OPERATOR).post(mending(source, row, "NONSENSE")).status_code == 404
        assert "/failures/" not in in_words(sign_in(Role.MARKETER).get(page(source)))
        source.refresh_from_db()
        assert source.registered_urls == [url]

    def test_says_so_when_the_request_is_not_kept_any_more(self, operator: Client, source: WebhookSource) -> None:
        gone = SignatureFailure(pk=4711)

        answer = in_words(operator.post(mending(source, gone, Remedy.REGISTER_ADDRESS), follow=True))

        assert "This request is not kept any more." in answer


def test_the_form_can_be_chosen_in_the_settings_and_takes_in_what_was_refused(
    operator: Client, refuse: Refuse, source: WebhookSource, url: str
) -> None:
    refuse(b64(LOW, url))
    settings = {"name": "Insightarc", "registered_urls": url, "duplicate_window_seconds": "600"}

    answer = in_words(operator.post(page(source), settings | {"signature_form": "LOW_BYTE"}, follow=True))

    source.refresh_from_db()
    assert source.signature_form == SignatureForm.LOW_BYTE
    assert "1 of the 1 requests put aside verify now" in answer
    assert operator.post(page(source), settings | {"signature_form": "ANY"}).status_code == 200
    source.refresh_from_db()
    assert source.signature_form == SignatureForm.LOW_BYTE


class TestThePage:
    def test_is_silent_without_failures(self, operator: Client, source: WebhookSource, post_signal: Post) -> None:
        post_signal({})

        assert "Signatures that did not match" not in in_words(operator.get(page(source)))

    def test_warns_after_three_failures_beside_successes_and_stays_calm_before(
        self, operator: Client, source: WebhookSource, post_signal: Post
    ) -> None:
        post_signal({"num_events": 1})
        for number in range(2):
            post_signal({"num_events": number}, secret="wrong")
        assert "A few requests did not verify." in in_words(operator.get(page(source)))

        post_signal({"num_events": 3}, secret="wrong")

        assert "Some requests do not verify." in in_words(operator.get(page(source)))

    def test_says_that_a_sample_is_still_to_be_examined(
        self, operator: Client, source: WebhookSource, post_signal: Post
    ) -> None:
        post_signal({}, secret="wrong")
        assert "1 of them in a few seconds" in in_words(operator.get(page(source)))

        tasks.diagnose_failures()

        shown = in_words(operator.get(page(source)))
        assert "in a few seconds" not in shown
        assert "Most likely the secret is another project's" in shown.replace("&#x27;", "'")

    def test_counts_those_that_differ_in_the_same_way_together(
        self, operator: Client, source: WebhookSource, refuse: Refuse, url: str
    ) -> None:
        for number in range(3):
            body = json.dumps({"n": number}).encode()
            refuse(b64(body, url[:-1]), body=body)
        refuse(b64(BODY, url, "whsec_unknown"))

        shown = in_words(operator.get(page(source)))

        assert "3 requests, the last" in shown
        assert shown.index("signs another address") < shown.index("Nothing we know matches")

    def test_says_mended_when_the_settings_have_changed_since(
        self, operator: Client, source: WebhookSource, refuse: Refuse, url: str
    ) -> None:
        refuse(b64(BODY, url[:-1]))
        services.configure_source(source=source, urls=[url, url[:-1]])

        assert "Mended: such requests are accepted now" in in_words(operator.get(page(source)))

    def test_shows_what_strangers_send_as_text(self, operator: Client, source: WebhookSource, refuse: Refuse) -> None:
        SignatureFailure.objects.create(
            source=source,
            reason=RejectionReason.BAD_SIGNATURE,
            body=b"{}",
            diagnosis=Mismatch.SLASH,
            differences=["SLASH"],
            signed_url='https://"><img src=x onerror=alert(1)>',
            known_url="<script>alert(1)</script>",
        )
        refuse("x" * 27 + "=", query="?<script>alert(1)</script>")

        shown = operator.get(page(source)).content.decode()

        assert "<script>alert" not in shown
        assert "<img src=x" not in shown


class TestAFloodOfForgeries:
    def forge(self, client: Client, source: WebhookSource, count: int) -> None:
        for number in range(count):
            body = b'{"drop_proba":0.9,"n":%d}' % number
            header = {signature.HEADER: base64.b64encode(hashlib.sha1(body).digest()).decode()}  # noqa: S324 - a forgery
            client.generic("POST", f"/webhooks/insightarc/{source.pk}/", body, "application/json", headers=header)

    @pytest.mark.slow
    def test_of_thousands_leaves_few_rows_and_few_writes(self, client: Client, source: WebhookSource) -> None:
        begun = timezone.now()
        self.forge(client, source, 2_000)
        seconds = (timezone.now() - begun).total_seconds()

        assert SignatureFailure.objects.count() <= seconds / 10 + 1
        counted = sum(HourlyCount.objects.values_list("count", flat=True))
        assert counted <= 2_000
        assert HourlyCount.objects.count() <= 2

    def test_over_months_keeps_the_newest_150_and_what_was_explained(
        self, client: Client, source: WebhookSource, url: str, refuse: Refuse
    ) -> None:
        explained = refuse(b64(BODY, url[:-1]))
        old = timezone.now() - timedelta(hours=1)
        SignatureFailure.objects.update(received_at=old)
        SignatureFailure.objects.bulk_create(
            [forgery(source, old + timedelta(seconds=number)) for number in range(2_000)]
        )

        self.forge(client, source, 1)

        assert SignatureFailure.objects.filter(pk=explained.pk).exists()
        assert SignatureFailure.objects.count() == FAILURES_KEPT + 1
        assert bytes(SignatureFailure.objects.latest("received_at").body).startswith(b'{"drop_proba":0.9')

    def test_that_replays_an_explained_request_keeps_50(self, client: Client, source: WebhookSource) -> None:
        old = timezone.now() - timedelta(hours=1)
        SignatureFailure.objects.bulk_create(
            [forgery(source, old, diagnosis=Mismatch.SLASH, differences=["SLASH"]) for _ in range(500)]
        )

        self.forge(client, source, 1)

        assert SignatureFailure.objects.filter(diagnosis=Mismatch.SLASH).count() == EXPLAINED_KEPT

    def test_is_diagnosed_a_few_at_a_time_and_each_once(self, source: WebhookSource) -> None:
        SignatureFailure.objects.bulk_create([forgery(source, timezone.now()) for _ in range(25)])

        counts = [services.diagnose_failures(now=timezone.now()) for _ in range(4)]

        assert counts == [diagnosing.FAILURES_AT_A_TIME, diagnosing.FAILURES_AT_A_TIME, 5, 0]

    def test_takes_no_longer_than_the_time_of_one_run(
        self, source: WebhookSource, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(diagnosing, "SECONDS_AT_A_TIME", -1.0)
        SignatureFailure.objects.bulk_create([forgery(source, timezone.now()) for _ in range(3)])

        assert services.diagnose_failures(now=timezone.now()) == 0
        assert SignatureFailure.objects.filter(diagnosed_at=None).count() == 3

    def test_does_not_hold_up_another_connection(self, source: WebhookSource, project: Project) -> None:
        other = WebhookSource.objects.create(project=project, registered_urls=["https://crm.example.com/other/"])
        WebhookSecret.objects.create(source=other, secret="whsec_other")
        SignatureFailure.objects.bulk_create([forgery(source, timezone.now()) for _ in range(100)])
        theirs = forgery(other, timezone.now(), signature=b64(b"{}", "https://crm.example.com/other", "whsec_other"))
        theirs.save()

        services.diagnose_failures(now=timezone.now())

        theirs.refresh_from_db()
        assert theirs.diagnosis == Mismatch.SLASH

    def test_before_there_is_a_secret_keeps_50_and_writes_100_a_second(self, source: WebhookSource) -> None:
        source.secrets.all().delete()
        gate = rejections.FloodGate(rejections.UNCHECKED_WRITES_A_SECOND)

        assert sum(1 for _ in range(5_000) if gate.pass_one(source.pk, clock=7.0)) == 100
        for number in range(60):
            rejections.keep_unchecked(source.id, b"%d" % number, "x")
        assert SignatureFailure.objects.count() == 50


def forgery(source: WebhookSource, at: datetime, **fields: Any) -> SignatureFailure:
    defaults = {
        "body": b"{}",
        "signature": base64.b64encode(b"x" * 20).decode(),
        "reason": RejectionReason.BAD_SIGNATURE,
    }
    return SignatureFailure(source=source, received_at=at, **(defaults | fields))


def test_what_is_older_than_14_days_is_forgotten(source: WebhookSource) -> None:
    now = timezone.now()
    for days in (1, 13, 15, 40):
        forgery(source, now - timedelta(days=days)).save()

    assert services.forget_failures(now=now) == 2
    assert SignatureFailure.objects.count() == 2


def test_what_came_before_the_secret_is_diagnosed_once_there_is_one(
    post_signal: Post, source: WebhookSource, url: str
) -> None:
    source.secrets.all().delete()
    post_signal(BODY, headers={signature.HEADER: b64(BODY, url[:-1])})
    assert services.diagnose_failures(now=timezone.now()) == 0

    services.paste_secret(source=source, secret="wrong", now=timezone.now())
    services.diagnose_failures(now=timezone.now())
    after_the_wrong_one = SignatureFailure.objects.get().diagnosis
    services.paste_secret(source=source, secret=SECRET, now=timezone.now())
    services.diagnose_failures(now=timezone.now())

    assert (after_the_wrong_one, SignatureFailure.objects.get().diagnosis) == (Mismatch.NO_MATCH, Mismatch.SLASH)


@pytest.mark.parametrize("form", SignatureForm)
def test_what_was_put_aside_just_after_the_secret_was_pasted_is_accepted(
    post_signal: Post, source: WebhookSource, url: str, form: SignatureForm
) -> None:
    source.secrets.all().delete()
    services.configure_source(source=source, signature_form=form)
    post_signal(BODY, headers={signature.HEADER: signature.sign(SECRET, BODY, url, form)})
    post_signal(BODY, headers={signature.HEADER: b64(BODY, url[:-1])})
    WebhookSecret.objects.create(source=source, secret=SECRET)  # as by a paste that checked before they came
    came_at = SignatureFailure.objects.earliest("pk").received_at

    assert services.diagnose_failures(now=timezone.now()) == 2

    delivery = WebhookDelivery.objects.get()
    assert (bytes(delivery.body), delivery.received_at) == (BODY, came_at)
    assert delivery.inbox_item.state == InboxState.PENDING
    assert SignatureFailure.objects.get().diagnosis == Mismatch.SLASH


@pytest.mark.parametrize("form", SignatureForm)
def test_a_secret_pasted_later_accepts_what_came_in_the_accepted_form(
    post_signal: Post, source: WebhookSource, url: str, form: SignatureForm
) -> None:
    source.secrets.all().delete()
    services.configure_source(source=source, signature_form=form)
    post_signal(BODY, headers={signature.HEADER: signature.sign(SECRET, BODY, url, form)})

    assert services.paste_secret(source=source, secret=SECRET, now=timezone.now()).verified == 1


@pytest.fixture(params=list(SignatureForm))
def accepted_form(request: pytest.FixtureRequest, source: WebhookSource) -> SignatureForm:
    services.configure_source(source=source, signature_form=request.param)
    form: SignatureForm = request.param
    return form


def test_a_flipped_bit_is_refused_under_each_accepted_form(
    client: Client, source: WebhookSource, url: str, accepted_form: SignatureForm
) -> None:
    body = b'{"drop_proba":0.5,"num_events":7}'
    right = signature.sign(SECRET, body, url, accepted_form)

    def post(sent: bytes, header: str) -> int:
        headers = {signature.HEADER: header}
        path = f"/webhooks/insightarc/{source.pk}/"
        return client.generic("POST", path, sent, "application/json", headers=headers).status_code

    for bit in range(0, len(body) * 8, 5):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << (bit % 8)
        assert post(bytes(flipped), right) == 401
    for bit in range(0, len(right) * 8, 5):
        changed = bytearray(right.encode())
        changed[bit // 8] ^= 1 << (bit % 8)
        assert post(body, changed.decode("latin-1")) == 401
    assert post(body, right) == 200
