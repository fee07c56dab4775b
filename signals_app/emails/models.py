from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from signals_app.core.clock import Now
from signals_app.core.models import ClaimedModel, PublicIdModel, TimestampedModel
from signals_app.customers.models import Identifier
from signals_app.emails.constants import MessagePurpose, MessageState, SuppressionReason
from signals_app.projects.models import Project


class SenderIdentity(TimestampedModel):
    """Who a store's mails come from; no marketing mail leaves without it."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="sender")
    from_name = models.CharField("sender name", max_length=100)
    from_email = models.EmailField("sender address")
    reply_to = models.EmailField("replies go to", blank=True)
    postal_address = models.TextField(help_text="Stands in the footer of every mail, as the law asks.")
    is_placeholder = models.BooleanField(default=False, editable=False)
    """Made by the examples: good for the local mailbox, refused by any other mail service."""

    class Meta:
        verbose_name = "sender"

    def __str__(self) -> str:
        return f"{self.from_name} <{self.from_email}>"


class EmailTemplate(PublicIdModel, TimestampedModel):
    """
    A mail with holes: Liquid in MJML.

    The MJML is compiled to HTML once, when the template is saved; the Liquid is filled in for each shopper.
    `rendering.py` documents the variables.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="email_templates")
    name = models.CharField(max_length=100)
    subject = models.CharField(
        max_length=300, help_text="May contain Liquid, e.g. {{ products[0].title | default: 'your visit' }}."
    )
    preheader = models.CharField(
        max_length=300, blank=True, help_text="The line that mail programs show after the subject."
    )
    mjml = models.TextField("content (MJML with Liquid)")
    compiled_html = models.TextField(editable=False, blank=True)
    coupon_pool = models.CharField(
        max_length=60, blank=True, help_text="Each mail takes one code from this pool of coupons."
    )
    history = HistoricalRecords(excluded_fields=["compiled_html"])

    class Meta:
        verbose_name = "template"
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("project", "name"), name="email_template_name_once_per_project"),
        )

    def __str__(self) -> str:
        return self.name


class EmailMessage(PublicIdModel, ClaimedModel):
    """One mail to one shopper: `queued -> sending -> sent | retry | failed | suppressed | unknown`."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="email_messages")
    identifier = models.ForeignKey(Identifier, on_delete=models.CASCADE, related_name="email_messages")
    template = models.ForeignKey(EmailTemplate, on_delete=models.RESTRICT, related_name="messages")
    purpose = models.CharField(max_length=20, choices=MessagePurpose.choices)
    send_key = models.CharField(max_length=200)
    """Names the mail to ourselves and to the mail service: one key, one mail, however often it is asked for."""
    context = models.JSONField(default=dict)
    """What the sender of the mail knew when it asked for it: {"product_keys": [...], "interests": [...], ...}."""
    state = models.CharField(max_length=20, choices=MessageState.choices, default=MessageState.QUEUED)
    reason = models.CharField(max_length=60, blank=True)
    detail = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)
    due_at = models.DateTimeField()
    sending_at = models.DateTimeField(null=True)
    """When the attempt that may have arrived began; frequency limits count from it."""
    finished_at = models.DateTimeField(null=True)
    to_email = models.EmailField(max_length=255, blank=True)
    subject = models.CharField(max_length=500, blank=True)
    html = models.TextField(blank=True)
    text = models.TextField(blank=True)
    esp_message_id = models.CharField(max_length=255, blank=True)

    class Meta:
        verbose_name = "e-mail"
        constraints = (
            models.UniqueConstraint(fields=("project", "send_key"), name="email_message_once_per_send_key"),
            models.CheckConstraint(condition=models.Q(state__in=MessageState.values), name="email_message_state_known"),
            models.CheckConstraint(
                condition=models.Q(purpose__in=MessagePurpose.values), name="email_message_purpose_known"
            ),
        )
        indexes = (
            models.Index(
                fields=("due_at",), name="email_message_due", condition=models.Q(state__in=["queued", "retry"])
            ),
            models.Index(fields=("lease_until",), name="email_message_sending", condition=models.Q(state="sending")),
            models.Index(fields=("identifier", "-sending_at"), name="email_message_by_identifier"),
            models.Index(fields=("project", "-created_at"), name="email_message_by_created"),
            models.Index(fields=("created_at",), name="email_message_with_content", condition=~models.Q(html="")),
        )

    def __str__(self) -> str:
        return ("" if self.is_of_erased else self.subject) or self.template.name

    @property
    def is_of_erased(self) -> bool:
        """Whether its shopper is being erased: until it goes as well, no page says what it says of them."""
        return self.identifier.customer.erased_at is not None


class Suppression(PublicIdModel):
    """An address that gets no marketing mail of a store, whatever else is said."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="suppressions")
    email = models.CharField(max_length=255)
    reason = models.CharField(max_length=20, choices=SuppressionReason.choices)
    source = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "email"), name="suppression_once_per_project"),
            models.CheckConstraint(
                condition=models.Q(reason__in=SuppressionReason.values), name="suppression_reason_known"
            ),
        )

    def __str__(self) -> str:
        return self.email


class MailboxMail(models.Model):
    """A mail captured by the local mailbox instead of being sent; `send_key` makes capturing it twice impossible."""

    send_key = models.CharField(max_length=200, null=True)  # noqa: DJ001 - null: a mail of no key, not unique
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="mailbox_mails")
    message = models.ForeignKey(EmailMessage, on_delete=models.CASCADE, null=True, related_name="mailbox_mails")
    to_email = models.CharField(max_length=255)
    from_email = models.CharField(max_length=255)
    subject = models.CharField(max_length=500)
    headers = models.JSONField(default=dict)
    html = models.TextField(blank=True)
    text = models.TextField(blank=True)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "captured mail"
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=("project", "send_key"), name="mailbox_mail_once_per_send_key"),)

    def __str__(self) -> str:
        return self.subject
