"""What each role may do: the one place where roles become permissions."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from signals_app.projects.constants import Role

ROLES = (Role.OWNER, Role.MARKETER, Role.ANALYST, Role.OPERATOR)

# v: view, a: add, c: change, d: delete. A shopper's data cannot be written by hand except for what a person may
# correct; signals, orders, mails and deliveries are facts, and their pages are read-only whatever stands here.
MODELS: dict[str, tuple[str, str, str, str]] = {
    #                                  owner    marketer analyst  operator
    "projects.project":               ("vc",    "v",     "v",     "v"),
    "projects.membership":            ("vacd",  "",      "",      ""),
    "projects.apikey":                ("va",    "",      "",      "v"),
    "audit.auditentry":               ("v",     "",      "",      ""),
    "customers.erasurereport":        ("v",     "",      "",      ""),
    "projects.savedview":             ("vacd",  "vacd",  "vacd",  "vacd"),
    "customers.customer":             ("vc",    "vc",    "v",     "v"),
    "customers.identifier":           ("v",     "v",     "v",     "v"),
    "customers.identityconflict":     ("vc",    "vc",    "v",     "v"),
    "customers.consent":              ("v",     "v",     "v",     "v"),
    "customers.order":                ("v",     "v",     "v",     "v"),
    "shopper_signals.shoppersignal":  ("v",     "v",     "v",     "v"),
    "shopper_signals.intentprofile":  ("v",     "v",     "v",     "v"),
    "shopper_signals.interest":       ("v",     "v",     "v",     "v"),
    "shopper_signals.recomputerun":   ("v",     "v",     "v",     "v"),
    "catalog.urlpatterns":            ("vc",    "vc",    "v",     "vc"),
    "catalog.product":                ("vc",    "vc",    "v",     "v"),
    "catalog.productfeed":            ("vacd",  "vacd",  "v",     "vacd"),
    "catalog.coupon":                 ("vacd",  "vacd",  "v",     "v"),
    "segments.segment":               ("vacd",  "vacd",  "v",     "v"),
    # Files full of people: who may put them in and take them out also sees them.
    "transfers.importrun":            ("va",    "va",    "",      ""),
    "transfers.exportfile":           ("vad",   "vad",   "",      ""),
    "emails.senderidentity":          ("vac",   "vac",   "v",     "v"),
    "emails.emailtemplate":           ("vacd",  "vacd",  "v",     "v"),
    "emails.emailmessage":            ("v",     "v",     "v",     "v"),
    "emails.suppression":             ("vad",   "va",    "v",     "va"),
    "emails.mailboxmail":             ("v",     "v",     "v",     "v"),
    "remarketing.sendpolicy":         ("vac",   "vac",   "v",     "v"),
    "remarketing.remarketingrule":    ("vacd",  "vacd",  "v",     "v"),
    "remarketing.rulevariant":        ("vacd",  "vacd",  "v",     "v"),
    "remarketing.rulematch":          ("v",     "v",     "v",     "v"),
    "remarketing.rulecounter":        ("v",     "v",     "v",     "v"),
    "remarketing.calibration":        ("v",     "v",     "v",     "v"),
    "storefront.storefront":          ("vac",   "v",     "v",     "vac"),
    "catalog.pagealias":              ("vd",    "vd",    "v",     "v"),
    "shops.shopconnection":           ("vac",   "v",     "v",     "vac"),
    "shops.shopdifference":           ("v",     "v",     "v",     "v"),
    "shops.privacyrequest":           ("v",     "v",     "v",     "v"),
    "webhooks.webhooksource":         ("vac",   "v",     "v",     "vac"),
    "webhooks.webhookdelivery":       ("v",     "v",     "v",     "v"),
    "webhooks.inboxitem":             ("v",     "v",     "v",     "v"),
    "webhooks.replayrun":             ("v",     "v",     "v",     "v"),
}  # fmt: skip

# Lists are what a marketer works with, so they may take them out. Everything about one person, raw requests and mails as
# they looked included, is no list: it is handed to that person by law, like their erasure, and that is the owner's.
ACTIONS: dict[str, tuple[bool, bool, bool, bool]] = {
    #                                  owner    marketer analyst  operator
    "projects.pause_sending":         (True,    False,   False,   False),
    "projects.revoke_apikey":         (True,    False,   False,   True),
    "audit.see_retention":            (True,    False,   False,   True),
    "projects.share_view":            (True,    True,    False,   False),
    "catalog.match_pages":            (True,    True,    False,   False),
    "customers.export_customer":      (True,    False,   False,   False),
    "customers.erase_customer":       (True,    False,   False,   False),
    "customers.record_consent":       (True,    True,    False,   False),
    "customers.merge_profiles":       (True,    True,    False,   False),
    "customers.undo_link":            (True,    True,    False,   False),
    "shopper_signals.recompute":      (True,    True,    False,   True),
    "emails.send_test":               (True,    True,    False,   False),
    "remarketing.explain_match":      (True,    True,    True,    True),
    "segments.export_segment":        (True,    True,    False,   False),
    "storefront.show_secret":         (True,    False,   False,   True),
    "transfers.download_export":      (True,    True,    False,   False),
    "shops.answer_privacy_request":   (True,    False,   False,   False),
    "shops.erase_shop":               (True,    False,   False,   False),
    "webhooks.paste_secret":          (True,    False,   False,   True),
    "webhooks.probe":                 (True,    False,   False,   True),
    "webhooks.replay":                (True,    False,   False,   True),
}  # fmt: skip

VERBS = {"view": "v", "add": "a", "change": "c", "delete": "d"}


def role_allows(role: str, permission: str) -> bool:
    """Say whether a role holds a permission such as `remarketing.change_remarketingrule` or `webhooks.replay`."""
    if role not in ROLES:
        return False
    column = ROLES.index(Role(role))
    if permission in ACTIONS:
        return ACTIONS[permission][column]
    room, _, codename = permission.partition(".")
    verb, _, model = codename.partition("_")
    allowed = MODELS.get(f"{room}.{model}")
    return allowed is not None and VERBS.get(verb, "-") in allowed[column]


def role_enters(role: str, room: str) -> bool:
    """Say whether a role may see anything of a room."""
    return role in ROLES and any(
        name.startswith(f"{room}.") and "v" in allowed[ROLES.index(Role(role))] for name, allowed in MODELS.items()
    )


class RoleBackend(ModelBackend):
    """
    Grant the permissions of the role that the person has in the current store, and no others.

    Django's own per-user and group permissions are not read: they would hold in every store.
    """

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return user_obj.is_active and role_allows(getattr(user_obj, "role", ""), perm)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return user_obj.is_active and role_enters(getattr(user_obj, "role", ""), app_label)
