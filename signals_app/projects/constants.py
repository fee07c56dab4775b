from django.db.models import TextChoices


class Role(TextChoices):
    OWNER = "OWNER", "Owner"
    MARKETER = "MARKETER", "Marketer"
    ANALYST = "ANALYST", "Analyst"
    OPERATOR = "OPERATOR", "Operator"


ROLES_IN_WORDS: dict[str, str] = {
    Role.OWNER: "may do everything, and alone: the team, the audit log, and what a person has a right to by law, which "
    "is everything about them as one file, and their erasure.",
    Role.MARKETER: "makes segments, automations and mails, records consents, joins and parts profiles, and takes lists in "
    "and out.",
    Role.ANALYST: "reads, and takes nothing out.",
    Role.OPERATOR: "connects Insightarc, the shop and feeds, keeps secrets and replays, and takes nothing out.",
}
"""`insightarc_crm.roles` is what holds; this is what people read."""


class Scope(TextChoices):
    """What a key may do; the values stand in requests and answers of the API."""

    READ = "read", "Read"
    WRITE = "write", "Write"
    SEND = "send", "Send"
    ADMIN = "admin", "Administer"
