from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals_app.emails import rendering
from signals_app.emails.exceptions import TemplateError
from signals_app.emails.gallery.mails import MAILS, GalleryMail
from signals_app.emails.mjml_compiler import compile_mjml

FOOTER = "<mj-text>{{ sender.postal_address }} <a href='{{ unsubscribe_url }}'>Unsubscribe</a></mj-text>"
COMPILED = {mail.key: compile_mjml(mail.mjml) for mail in MAILS}


def page(content: str) -> str:
    return f"<mjml><mj-body><mj-section><mj-column>{content}{FOOTER}</mj-column></mj-section></mj-body></mjml>"


def problems(*, subject: str = "Hello", preheader: str = "", content: str = "") -> list[tuple[str, str]]:
    found = rendering.check(subject=subject, preheader=preheader, mjml=page(content))
    return [(problem.field, problem.message) for problem in found]


def rendered(content: str, subject: str = "Hello", **variables: Any) -> rendering.Rendered:
    values = {**rendering.VARIABLES, **variables}
    return rendering.render(subject=subject, preheader="", html=compile_mjml(page(content)), variables=values)


class Elements(HTMLParser):
    """Collects the names of the elements of a mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


class TestCheck:
    def test_finds_nothing_wrong_with_a_good_template(self) -> None:
        assert problems(subject="Hi {{ customer.first_name | default: 'there' }}", content="<mj-text>a</mj-text>") == []

    @pytest.mark.parametrize(
        ("name", "template"),
        [
            ("custmer.name", "{{ custmer.name }}"),
            ("customer.nmae", "{{ customer.nmae }}"),
            ("products.titel", "{{ products[0].titel }}"),
            ("signal.endpoint.secret", "{% if signal.endpoint.secret %}x{% endif %}"),
        ],
    )
    def test_names_a_variable_that_does_not_exist_and_its_field(self, name: str, template: str) -> None:
        expected = f"There is no variable {name}."

        assert problems(subject=template) == [("subject", expected)]
        assert problems(preheader=template) == [("preheader", expected)]
        assert problems(content=f"<mj-text>{template}</mj-text>") == [("mjml", expected)]

    def test_finds_a_misspelt_property_inside_a_loop(self) -> None:
        [(field, message)] = problems(content="<mj-text>{% for p in products %}{{ p.titel }}{% endfor %}</mj-text>")

        assert (field, message.partition(" is undefined")[0].lower()) == ("mjml", "p.titel")

    def test_finds_what_is_missing_when_nothing_is_known_about_the_shopper(self) -> None:
        [(field, message)] = problems(subject="{{ products[0].title }} is waiting")

        assert field == "subject"
        assert "nothing is known about the shopper" in message
        assert "default" in message

    def test_finds_a_subject_that_can_come_out_empty(self) -> None:
        [(field, message)] = problems(subject="{{ customer.first_name }}")

        assert (field, message) == ("subject", "The subject is empty when nothing is known about the shopper.")

    def test_asks_for_the_unsubscribe_link_and_the_postal_address(self) -> None:
        found = rendering.check(
            subject="Hello", preheader="", mjml="<mjml><mj-body><mj-text>a</mj-text></mj-body></mjml>"
        )

        assert [problem.field for problem in found] == ["mjml", "mjml"]
        assert "unsubscribe_url" in found[0].message
        assert "postal_address" in found[1].message

    def test_names_every_field_that_is_wrong(self) -> None:
        found = rendering.check(subject="{{ a", preheader="{% if %}", mjml="nothing")

        assert {problem.field for problem in found} == {"subject", "preheader", "mjml"}

    def test_finds_script_that_a_liquid_literal_would_print(self) -> None:
        [(field, message)] = problems(content="<mj-text>{{ '<script>alert(1)</script>' }}</mj-text>")

        assert field == "mjml"
        assert "<script>" in message


class TestRender:
    def test_cleans_newlines_out_of_the_subject(self) -> None:
        mail = rendered("", subject="Hi {{ customer.name }}", customer={"name": "a\r\nBcc: x@evil.example\u2028\x00b"})

        assert mail.subject == "Hi a Bcc: x@evil.example b"

    def test_does_not_escape_the_subject(self) -> None:
        assert rendered("", subject="{{ x }}", x="Scarf & hat").subject == "Scarf & hat"

    def test_refuses_an_empty_subject(self) -> None:
        with pytest.raises(TemplateError, match="empty"):
            rendered("", subject="{{ x }}", x=" \n ")

    @given(st.text(max_size=300))
    def test_makes_a_subject_of_one_line_of_anything(self, name: str) -> None:
        line = rendering.one_line(name)

        assert line.splitlines() in ([], [line])
        assert line == line.strip()
        line.encode()

    def test_writes_links_and_reduced_prices_out_in_the_text_part(self) -> None:
        mail = rendered("<mj-text><a href='{{ shop.url }}'>Go</a> <b>5</b> <s class='was'>10</s></mj-text>")

        assert "Go (https://shop.example/) 5 (instead of 10)" in mail.text

    def test_leaves_no_runs_of_blank_lines_in_the_text_part(self) -> None:
        mail = rendered("<mj-spacer height='90px' />" * 5 + "<mj-text>a</mj-text>")

        assert "\n\n\n" not in mail.text
        assert mail.text == mail.text.strip() + "\n"


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail.key)
class TestGallery:
    def test_has_nothing_to_complain_of(self, mail: GalleryMail) -> None:
        assert rendering.check(subject=mail.subject, preheader=mail.preheader, mjml=mail.mjml) == []

    @pytest.mark.parametrize(
        "variables", [rendering.VARIABLES, rendering.LITTLE_KNOWN, rendering.NOTHING_KNOWN], ids=["all", "few", "none"]
    )
    def test_links_only_to_addresses_and_shows_no_empty_picture(self, mail: GalleryMail, variables: Any) -> None:
        result = rendering.render(
            subject=mail.subject, preheader=mail.preheader, html=COMPILED[mail.key], variables=variables
        )

        links = Elements(result.html).links
        assert links
        assert all(link.startswith("https://") for link in links)
        assert variables["unsubscribe_url"] in links
        assert "London" in result.text
        assert "fonts.googleapis" not in result.html
        assert "color-scheme" in result.html

    @settings(max_examples=8, deadline=None)
    @given(text=st.text(max_size=60).map(lambda text: f"</td><h1>{text}"))
    def test_gains_no_element_from_hostile_data(self, mail: GalleryMail, text: str) -> None:
        def hostile(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: hostile(item) for key, item in value.items()}
            if isinstance(value, list):
                return [hostile(item) for item in value]
            return text if isinstance(value, str) and value else value

        def elements(variables: Any) -> list[str]:
            result = rendering.render(
                subject=mail.subject, preheader=mail.preheader, html=COMPILED[mail.key], variables=variables
            )
            return Elements(result.html).names

        plain = {**rendering.VARIABLES, "sender": {**rendering.VARIABLES["sender"], "postal_address": "London"}}
        assert [name for name in elements(hostile(plain)) if name != "br"] == [
            name for name in elements(plain) if name != "br"
        ]


class TestRewritingLinks:
    HTML = (
        "<a class='x' href=\"https://shop.example/?a=1&amp;b=2\">A</a> <A HREF='/b'>B</A> <a name=\"href\">C</a>"
        '<img src="https://shop.example/i.jpg"> <link href="https://shop.example/s.css"> <a data-href="x" href="/c">D</a>'
    )

    def test_asks_for_each_link_as_a_browser_reads_it(self) -> None:
        asked: list[str] = []

        same = rendering.rewrite_links(self.HTML, lambda address: asked.append(address) or address)  # type: ignore[func-returns-value]

        assert asked == ["https://shop.example/?a=1&b=2", "/b", "/c"]
        assert same == self.HTML

    def test_writes_what_it_is_given_so_that_nothing_breaks_out(self) -> None:
        changed = rendering.rewrite_links(self.HTML, lambda address: f'{address}&"><b>')

        assert 'href="https://shop.example/?a=1&amp;b=2&amp;&quot;&gt;&lt;b&gt;"' in changed
        assert "<b>" not in changed
        assert '<img src="https://shop.example/i.jpg"> <link href="https://shop.example/s.css">' in changed
