"""The forms in which a body may be signed, side by side with Node."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals_app.webhooks import javascript, signature
from signals_app.webhooks.constants import SignatureForm

AS_SENT, LOW_BYTE, STRINGIFIED = SignatureForm
NODE = shutil.which("node")
FORMS_OF_NODE = Path(__file__).parent.parent / "contract" / "signed_forms.mjs"
SECRET = "whsec_test"
URL = "https://crm.example.com/hooks/insightarc/demo/"
BODY = (
    '{"drop_proba":0.95,"perfomance":1.2,"num_events":10,"num_loops":2,"num_broken_buttons":1,"avg_loops":2.3,'
    '"avg_broken_buttons":1,"relevant_events":[{"name":"/products/%s"}]}'
)
SPACED = b'{ "drop_proba": 0.950, "num_events": 1e1,\n "name": "caf\\u00e9 \xe2\x80\x93" }'

needs_node = pytest.mark.skipif(NODE is None, reason="Node.js is not installed")

spaces = st.text(" \t\r\n", max_size=2)
letters = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = (
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    | st.sampled_from(["-0", "-0.0", "9007199254740993", "1e400", "5e-324", "1e21", "1e-7", "0.1e1", "123456789e-20"])
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
)
strings = st.one_of(
    letters.map(lambda text: json.dumps(text, ensure_ascii=False)),
    letters.map(json.dumps),
    st.lists(
        st.sampled_from(
            ["\\ud800", "\\udfff", "\\ud83d\\ude00", "\\/", "\\u2028", "\u2028", "\\u00e9", "\\b", "\x7f", "–"]
        ),
        max_size=4,
    ).map(lambda parts: f'"{"".join(parts)}"'),
)
names = st.sampled_from(
    [
        '"a"',
        '"b"',
        '"2"',
        '"10"',
        '"01"',
        '"-1"',
        '"1.5"',
        '"0"',
        '"4294967294"',
        '"4294967295"',
        '"__proto__"',
        '"\\u0031"',
    ]
)


def _list(parts: Any, opening: str, closing: str) -> Any:
    return st.tuples(spaces, st.lists(parts, max_size=5), spaces).map(
        lambda given: opening + given[0] + f",{given[2]}".join(given[1]) + given[0] + closing
    )


json_texts = st.recursive(
    st.one_of(numbers, strings, st.sampled_from(["true", "false", "null"])),
    lambda inner: (
        _list(inner, "[", "]")
        | _list(st.tuples(names | strings, spaces, inner).map(lambda m: f"{m[0]}{m[1]}:{m[1]}{m[2]}"), "{", "}")
    ),
    max_leaves=10,
)
nearly_json = st.tuples(
    json_texts, st.sampled_from(["NaN", "Infinity", ",", "}", "\u00a0", "01", ".5", "\x00", "'"])
).map("".join) | st.sampled_from(
    ["", "NaN", "[-Infinity]", "\ufeff{}", '"\t"', "[1,]", "{a:1}", "+1", "1.", '"\\x"', "[1 2]", "tru"]
)


def made_by_node(texts: list[str]) -> list[dict[str, Any]]:
    command = [str(NODE), str(FORMS_OF_NODE), SECRET, URL]
    done = subprocess.run(command, input=json.dumps(texts), text=True, capture_output=True, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.mark.node
@needs_node
class TestNodeAgrees:
    @pytest.mark.slow
    @given(st.lists(json_texts | nearly_json, min_size=100, max_size=100))
    @settings(max_examples=8)
    def test_on_what_javascript_prints_again(self, texts: list[str]) -> None:
        for text, node in zip(texts, made_by_node(texts), strict=True):
            ours = javascript.reprint(text.encode())

            assert (ours and base64.b64encode(ours).decode()) == node["stringified"], text

    @given(st.lists(letters | json_texts | st.text(max_size=20), min_size=100, max_size=100))
    @settings(max_examples=4)
    def test_on_the_low_bytes_of_any_text(self, texts: list[str]) -> None:
        # Half of a surrogate pair cannot be sent, but JavaScript has it in its texts.
        for text, node in zip(texts, made_by_node(texts), strict=True):
            assert base64.b64encode(signature.low_bytes(text)).decode() == node["low"]

    def test_on_the_signature_of_each_form(self) -> None:
        texts = [BODY % "cafe", BODY % "café", BODY % "café – 👟", SPACED.decode()]

        for text, node in zip(texts, made_by_node(texts), strict=True):
            assert {form: signature.sign(SECRET, text.encode(), URL, form) for form in SignatureForm} == node[
                "signatures"
            ]


def test_known_signatures_of_the_low_bytes() -> None:
    plain, accented = (BODY % "cafe").encode(), (BODY % "café").encode()

    assert signature.sign(SECRET, accented, URL, LOW_BYTE) == "Zlrf3MuXNFk86bQLRPi215ZKNpo="
    assert signature.sign(SECRET, plain, URL, LOW_BYTE) == signature.sign(SECRET, plain, URL)


@pytest.mark.parametrize("accepted", SignatureForm)
@pytest.mark.parametrize("signed", SignatureForm)
def test_a_form_verifies_where_it_is_accepted_and_the_documented_one_everywhere(
    signed: SignatureForm, accepted: SignatureForm
) -> None:
    header = signature.sign(SECRET, SPACED, URL, signed)

    assert signature.verifies([SECRET], SPACED, [URL], header, accepted) is (signed in (AS_SENT, accepted))


@given(st.sampled_from(list(SignatureForm)), st.sampled_from(["body", "url", "header", "secret"]), st.data())
@settings(max_examples=400)
def test_any_flipped_bit_fails_in_every_form(form: SignatureForm, part: str, data: st.DataObject) -> None:
    parts = {
        "body": SPACED,
        "url": URL.encode(),
        "header": signature.sign(SECRET, SPACED, URL, form).encode(),
        "secret": SECRET.encode(),
    }
    flipped = bytearray(parts[part])
    bit = data.draw(st.integers(0, len(flipped) * 8 - 1))
    flipped[bit // 8] ^= 1 << (bit % 8)
    parts[part] = bytes(flipped)

    secret, url = parts["secret"].decode("latin-1"), parts["url"].decode("latin-1")
    verifies = signature.verifies([secret], parts["body"], [url], parts["header"], form)

    # What a form does not cover is what its page in the admin says: the upper half of a character, or the spelling.
    signed = (signature.formed_body(parts["body"], form), signature.formed_url(url, form))
    is_the_same = signed == (signature.formed_body(SPACED, form), signature.formed_url(URL, form))
    assert verifies is (is_the_same and part in ("body", "url"))
    assert not verifies or form != AS_SENT


@given(st.sampled_from(list(SignatureForm)), st.integers(0, len(BODY) * 8 - 1))
def test_no_flipped_bit_changes_a_value_that_is_accepted(form: SignatureForm, bit: int) -> None:
    body = BODY.replace("%s", "cafe").encode()
    header = signature.sign(SECRET, body, URL, form)
    flipped = bytearray(body)
    flipped[bit // 8 % len(body)] ^= 1 << (bit % 8)

    assert not signature.verifies([SECRET], bytes(flipped), [URL], header, form)


def test_what_each_form_leaves_out_is_what_its_page_says() -> None:
    body = b'{"name":"anna","n":1}'

    low = signature.sign(SECRET, body, URL, LOW_BYTE)
    assert signature.verifies([SECRET], '{"name":"\u0161nna","n":1}'.encode(), [URL], low, LOW_BYTE)
    printed = signature.sign(SECRET, body, URL, STRINGIFIED)
    assert signature.verifies([SECRET], b'{ "name":"anna", "n":1.0 }', [URL], printed, STRINGIFIED)


@given(st.one_of(st.binary(max_size=200), json_texts.map(str.encode), nearly_json.map(str.encode)))
def test_any_body_is_judged_without_an_error(body: bytes) -> None:
    for form in SignatureForm:
        assert not signature.verifies([SECRET], body, [URL], "UQc4l99dMumEP+YBXXjR6JS0bp4=", form)


@pytest.mark.parametrize(
    "body",
    [b"[" * 30_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b"[" + b"1," * 20_000 + b"1]", b"9" * 20_000, b"\xff{}"],
    ids=lambda body: repr(body[:6]),
)
def test_a_hostile_body_has_no_printed_form_or_a_quick_one(body: bytes) -> None:
    printed = signature.formed_body(body, STRINGIFIED)

    assert printed is None or len(printed) <= len(body)
    assert len(body) <= signature.MAX_REPRINTED_BYTES or printed is None


def test_what_has_no_form_cannot_be_signed_in_it() -> None:
    with pytest.raises(ValueError, match="STRINGIFIED"):
        signature.sign(SECRET, b"{", URL, STRINGIFIED)
