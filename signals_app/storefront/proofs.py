"""
Proofs that the shop itself says who is there: HMAC-SHA256 of the e-mail address or customer ID, in hexadecimal.

A shop's server or theme can compute one for a shopper who has logged in; whoever merely types an address cannot.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from signals_app.customers.constants import IdentifierKind
from signals_app.storefront.exceptions import WrongProof
from signals_app.storefront.payload import BrowserCall


def proof_of(secret: str, value: str) -> str:
    """Return the proof of a value, which for an e-mail address is to be in lower case."""
    return hmac.new(secret.encode(), value.encode(), hashlib.sha256).hexdigest()


def proven_identifiers(call: BrowserCall, secrets: Sequence[str]) -> dict[str, str]:
    """
    Return the e-mail and customer ID of a call, as far as its proofs prove them.

    `proof` may be of either; `external_id_proof`, of the customer ID, proves it beside the e-mail.

    :raises WrongProof: if a proof proves nothing: a shop's mistake, and better said than taken for no proof at all.
    """
    proven: dict[str, str] = {}
    if call.proof:
        if call.email and _proves(call.proof, _spellings(call.said_email, call.email), secrets):
            proven[IdentifierKind.EMAIL] = call.email
        elif call.external_id and _proves(call.proof, (call.external_id,), secrets):
            proven[IdentifierKind.EXTERNAL_ID] = call.external_id
        else:
            raise WrongProof("proof")
    if call.external_id_proof:
        if not call.external_id or not _proves(call.external_id_proof, (call.external_id,), secrets):
            raise WrongProof("external_id_proof")
        proven[IdentifierKind.EXTERNAL_ID] = call.external_id
    return proven


def _spellings(said: str, normalised: str) -> tuple[str, ...]:
    """A theme puts an address into lower case by other rules than we do, for letters outside ASCII."""
    return (normalised, said.strip().lower(), said)


def _proves(proof: str, values: Iterable[str], secrets: Sequence[str]) -> bool:
    given = proof.strip().lower().encode()
    matches = [hmac.compare_digest(proof_of(secret, value).encode(), given) for secret in secrets for value in values]
    return any(matches)  # all were compared, so the time taken says nothing
