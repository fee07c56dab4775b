"""Looking at a mail before anybody gets it: previews, test mails, and captured mails as the shopper would see them."""

from __future__ import annotations

from datetime import datetime

from signals_app.catalog.models import Product
from signals_app.customers.models import Customer
from signals_app.emails import delivery
from signals_app.emails.constants import MessagePurpose, MessageState, SkipReason
from signals_app.emails.delivery import Envelope
from signals_app.emails.delivery_errors import Outcome
from signals_app.emails.mjml_compiler import compile_mjml
from signals_app.emails.models import EmailTemplate, MailboxMail, SenderIdentity
from signals_app.emails.rendering import VARIABLES, Rendered, render
from signals_app.emails.services.content import Occasion, placeholder_sender, variables_of
from signals_app.emails.services.suppression import is_suppressed, unsubscribe_url
from signals_app.projects.models import Project

_PREVIEW_POLICY = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'\">"
    '<base target="_blank">'
)


def preview(*, template: EmailTemplate, customer: Customer | None, now: datetime, coupon_code: str = "") -> Rendered:
    """
    Return a mail as this customer would get it now, or as anybody would: nothing is sent and no coupon is taken.

    The template need not be saved; one that was changed is compiled anew. Without a customer the shop's own products
    are shown, and the name and interests of an example person.

    :raises TemplateError: if the template cannot be used.
    """
    project = template.project
    sender = getattr(project, "sender", None) or placeholder_sender(project)
    html = compile_mjml(template.mjml)
    shown = EmailTemplate(project=project, subject=template.subject, preheader=template.preheader, compiled_html=html)
    occasion = Occasion(
        project=project,
        template=shown,
        customer=customer,
        to_email=customer.email if customer else "",
        context={"product_keys": _shown_keys(project, customer, now)},
        message=None,
        coupon_code=coupon_code or ("EXAMPLE-CODE" if template.coupon_pool else ""),
        now=now,
    )
    variables = variables_of(occasion, sender=sender)
    if customer is None:
        examples = {name: VARIABLES[name] for name in ("customer", "interests", "top_interest", "order")}
        variables |= examples | {"new_arrivals": variables["products"]}
    return render(subject=template.subject, preheader=template.preheader, html=html, variables=variables)


def _shown_keys(project: Project, customer: Customer | None, now: datetime) -> list[str]:
    """Return the keys of products to show: what the customer looked at, else the newest of the shop."""
    if customer is not None:
        viewed = customer.interests.filter(kind="product").order_by("-weight_log2")
        return list(viewed.values_list("name", flat=True)[:3])
    newest = Product.objects.filter(project=project, is_active=True).exclude(image_url="").order_by("-first_seen_at")
    return list(newest.values_list("url_key", flat=True)[:3])


def send_test(*, template: EmailTemplate, to_email: str, customer: Customer | None = None, now: datetime) -> Outcome:
    """
    Send a test mail to one address, now, and return what the mail service said.

    Consent and limits do not apply, because it goes to whoever asked for it; suppression does. It is no mail to a
    shopper, so it has no row in the outbox and counts nowhere.

    :raises TemplateError: if the template cannot be used.
    """
    project = template.project
    sender: SenderIdentity | None = getattr(project, "sender", None)
    if sender is None or (sender.is_placeholder and not delivery.is_local()):
        return Outcome(MessageState.SUPPRESSED, SkipReason.SKIPPED_SENDER_MISSING, "Set up a sender first.")
    if is_suppressed(project=project, email=to_email):
        return Outcome(MessageState.SUPPRESSED, SkipReason.SKIPPED_SUPPRESSED, f"{to_email} gets no mails.")
    mail = preview(template=template, customer=customer, now=now)
    envelope = Envelope(
        to_email=to_email,
        subject=f"[Test] {mail.subject}",
        html=mail.html,
        text=mail.text,
        from_name=sender.from_name,
        from_email=sender.from_email,
        reply_to=sender.reply_to,
        purpose=MessagePurpose.TEST,
        project_id=project.pk,
        project_slug=project.slug,
        project_name=project.name,
        unsubscribe_url=unsubscribe_url(None),
    )
    return delivery.deliver(envelope, now=now)


def mail_preview_html(mail: MailboxMail | Rendered) -> str:
    """
    Return a mail's HTML for the `srcdoc` of a sandboxed iframe.

    It brings its own policy, because it may not run anything or load anything but pictures; its links open elsewhere.
    """
    html = mail.html or f"<pre>{_escaped(mail.text)}</pre>"
    head, found, rest = html.partition("<head>")
    return f"{head}{found}{_PREVIEW_POLICY}{rest}" if found else f"{_PREVIEW_POLICY}{html}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
