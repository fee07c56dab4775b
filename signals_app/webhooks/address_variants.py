"""
The texts that an address may have been mistaken for: pure, and never more than a fixed number of them.

An address is taken apart by hand, since the standard library's parser changes some of what the signature covers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, permutations
from urllib.parse import quote, unquote

from signals_app.webhooks.constants import Mismatch

MAX_VARIANTS = 400
MAX_LENGTH = 4_000
MAX_HOST_LENGTH = 253
PARAMETERS_PERMUTED = 3
PORTS = {"http": ":80", "https": ":443"}
UNESCAPED = "/?:@!$&'()*+,;=-._~%"

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<user>[^/?#@]*@)?(?P<host>\[[^\]/?#]*\]|[^/?#:]*)(?P<port>:\d*)?"
    r"(?P<path>/[^?#]*|)(?P<query>\?[^#]*|)(?P<fragment>#.*|)",
    re.IGNORECASE | re.DOTALL,
)
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True)
class Variant:
    """An address that may have been signed; `base` is the known one that it differs from by `differences`."""

    text: str
    base: str
    differences: tuple[Mismatch, ...]


@dataclass(frozen=True, slots=True)
class _Address:
    scheme: str
    user: str
    host: str
    port: str
    path: str
    query: str
    fragment: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.user}{self.host}{self.port}{self.path}{self.query}{self.fragment}"


def variants(registered: Sequence[str], known: Sequence[str] = ()) -> list[Variant]:
    """
    Return at most `MAX_VARIANTS` different texts, the likeliest first.

    That is: each registered address itself, then the addresses that are `known` otherwise, then each with one thing
    changed, then each with two. What is longer than 4,000 characters or no address is left as it is.
    """
    bases = [Variant(text, text, ()) for text in registered if len(text) <= MAX_LENGTH]
    bases += [_compared(text, registered) for text in known if len(text) <= MAX_LENGTH]
    found: dict[str, Variant] = {}
    for variant in islice(_by_likelihood(bases), MAX_VARIANTS * 4):
        found.setdefault(variant.text, variant)
        if len(found) == MAX_VARIANTS:
            break
    return list(found.values())


def _compared(text: str, registered: Sequence[str]) -> Variant:
    """Return a known address as a variant of the registered one that it resembles most, or of the first."""
    for base in registered:
        if text.lower() == base.lower():
            return Variant(text, base, (Mismatch.HOST_CASE,))
    for base in registered:
        if text.partition("?")[0] == base.partition("?")[0]:
            return Variant(text, base, (Mismatch.QUERY,))
    return Variant(text, next(iter(registered), ""), (Mismatch.OTHER_ADDRESS,))


def _by_likelihood(bases: Sequence[Variant]) -> Iterator[Variant]:
    yield from bases
    ones = []
    for base in bases:
        for one in _changed_once(base):
            yield one
            ones.append(one)
    for one in ones:
        yield from (two for two in _changed_once(one) if two.differences[-1] not in one.differences)


def _changed_once(variant: Variant) -> Iterator[Variant]:
    match = _ADDRESS.fullmatch(variant.text)
    if match is None:
        return
    address = _Address(**{name: part or "" for name, part in match.groupdict().items()})
    for difference, change in CHANGES.items():
        for changed in change(address):
            text = str(changed)
            if text != variant.text and len(text) <= MAX_LENGTH:
                yield Variant(text, variant.base, (*variant.differences, difference))


def _scheme(address: _Address) -> Iterable[_Address]:
    yield replace(address, scheme="http" if address.scheme.lower() == "https" else "https")


def _slash(address: _Address) -> Iterable[_Address]:
    path = address.path
    yield replace(address, path=path[:-1] if path.endswith("/") else f"{path}/")


def _host_case(address: _Address) -> Iterable[_Address]:
    yield replace(address, scheme=address.scheme.lower(), host=address.host.lower())
    yield replace(address, host=address.host.capitalize())  # as a telephone's keyboard begins a line
    yield replace(address, host=address.host.upper())


def _port(address: _Address) -> Iterable[_Address]:
    yield replace(address, port="" if address.port else PORTS[address.scheme.lower()])


def _www(address: _Address) -> Iterable[_Address]:
    host = address.host
    yield replace(address, host=host[4:] if host.lower().startswith("www.") else f"www.{host}")


def _punycode(address: _Address) -> Iterable[_Address]:
    if len(address.host) > MAX_HOST_LENGTH:
        return
    try:
        if not address.host.isascii():
            yield replace(address, host=address.host.encode("idna").decode("ascii"))
        elif "xn--" in address.host.lower():
            yield replace(address, host=address.host.encode("ascii").decode("idna"))
    except UnicodeError:  # not a name that could be spelled otherwise
        return


def _query(address: _Address) -> Iterable[_Address]:
    yield replace(address, query="", fragment="")
    yield replace(address, fragment="")


def _query_order(address: _Address) -> Iterable[_Address]:
    given = address.query[1:].split("&")
    orders: Iterable[Sequence[str]] = (sorted(given), given[::-1])
    if len(given) <= PARAMETERS_PERMUTED:
        orders = permutations(given)
    for order in orders:
        yield replace(address, query=address.query[:1] + "&".join(order))


def _percent_encoding(address: _Address) -> Iterable[_Address]:
    for respell in (_encode, _decode, _upper_escapes, _lower_escapes):
        yield replace(address, path=respell(address.path), query=respell(address.query))
    yield replace(address, query=address.query.replace("+", "%20"))
    yield replace(address, query=address.query.replace("%20", "+"))


def _encode(text: str) -> str:
    return quote(text, safe=UNESCAPED, errors="replace")


def _decode(text: str) -> str:
    return unquote(text, errors="replace")


def _upper_escapes(text: str) -> str:
    return _ESCAPE.sub(lambda escape: escape[0].upper(), text)


def _lower_escapes(text: str) -> str:
    return _ESCAPE.sub(lambda escape: escape[0].lower(), text)


CHANGES: dict[Mismatch, Callable[[_Address], Iterable[_Address]]] = {
    Mismatch.SLASH: _slash,
    Mismatch.SCHEME: _scheme,
    Mismatch.HOST_CASE: _host_case,
    Mismatch.PORT: _port,
    Mismatch.WWW: _www,
    Mismatch.QUERY: _query,
    Mismatch.QUERY_ORDER: _query_order,
    Mismatch.PERCENT_ENCODING: _percent_encoding,
    Mismatch.PUNYCODE: _punycode,
}
"""What is tried, the likeliest first."""
