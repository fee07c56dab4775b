from django.db.models import TextChoices


class Role(TextChoices):
    OWNER = "OWNER", "Owner"
    MARKETER = "MARKETER", "Marketer"
    ANALYST = "ANALYST", "Analyst"
    OPERATOR = "OPERATOR", "Operator"


class Scope(TextChoices):
    """What a key may do; the values stand in requests and answers of the API."""

    READ = "read", "Read"
    WRITE = "write", "Write"
    SEND = "send", "Send"
    ADMIN = "admin", "Administer"
