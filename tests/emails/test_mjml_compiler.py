import pytest

from signals_app.emails.exceptions import TemplateError
from signals_app.emails.mjml_compiler import MAX_ELEMENTS, compile_mjml


def page(content: str, head: str = "") -> str:
    return f"<mjml><mj-head>{head}</mj-head><mj-body><mj-section><mj-column>{content}</mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(
    "tag",
    [
        "{% if a < b and c > d %}",
        "{{ x | default: '<b>&amp;</b>' }}",
        '{{ x | default: "quoted" }}',
        "{%- if x -%}",
        "{{ x\n| upcase }}",
        "{{ LQ0Q00000Z }}",
    ],
)
def test_a_liquid_tag_comes_out_as_it_went_in(tag: str) -> None:
    html = compile_mjml(page(f"<mj-text>LQ0Q00000Z{tag}</mj-text>"))

    assert f"LQ0Q00000Z{tag}" in html


def test_liquid_works_in_attributes_between_columns_and_in_raw() -> None:
    html = compile_mjml(
        "<mjml><mj-body><mj-raw>{% for p in products %}</mj-raw><mj-section><mj-column>"
        "<mj-button href='{{ p.url }}'>{{ p.title }}</mj-button></mj-column></mj-section>"
        "<mj-raw>{% endfor %}</mj-raw></mj-body></mjml>"
    )

    assert 'href="{{ p.url }}"' in html
    assert html.index("{% for p in products %}") < html.index("{{ p.title }}") < html.index("{% endfor %}")


def test_the_preheader_is_the_first_text_of_the_body() -> None:
    html = compile_mjml(page("<mj-text>Hello</mj-text>"))

    assert html.index("<body") < html.index("{{ preheader }}") < html.index("Hello")


@pytest.mark.parametrize(
    "source",
    [
        "",
        "hello",
        "<mjml>",
        "<mjml></mjml><p>",
        "<html></html>",
        page("<mj-text>{{ never closed</mj-text>"),
        page("<mj-text>never closed"),
        page("<mj-include path='/etc/passwd' />"),
        page("<mj-text>\ud800</mj-text>"),
        page("<mj-text>\x00</mj-text>"),
        page("<mj-text>" + "x" * 70_000 + "</mj-text>"),
        page("<mj-text>" + "<b>" * (MAX_ELEMENTS + 1) + "</mj-text>"),
        "<mjml><mj-body>" + "<mj-wrapper>" * 10_000,
    ],
)
def test_what_is_no_mjml_is_refused_with_a_sentence(source: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_mjml(source)

    assert str(caught.value).endswith((".", ")")) or "MJML" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "<mj-raw><script>alert(1)</script></mj-raw>",
        "<mj-raw><SCRIPT src='x'></SCRIPT></mj-raw>",
        "<mj-text><a href='javascript:alert(1)'>x</a></mj-text>",
        "<mj-text><a href='java&#10;script:alert(1)'>x</a></mj-text>",
        "<mj-text><img src='x' onerror='alert(1)' /></mj-text>",
        "<mj-button href='javascript:alert(1)'>x</mj-button>",
        "<mj-raw><form action='https://evil.example'></form></mj-raw>",
        "<mj-raw><iframe src='https://evil.example'></iframe></mj-raw>",
        "<mj-raw><base href='https://evil.example' /></mj-raw>",
        "<mj-raw><meta http-equiv='Refresh' content='0;url=https://evil.example' /></mj-raw>",
        "<mj-raw><svg></svg></mj-raw>",
        "<mj-raw><!--[if mso]><script>1</script><![endif]--></mj-raw>",
    ],
)
def test_html_that_no_mail_should_hold_is_refused(content: str) -> None:
    with pytest.raises(TemplateError, match="cannot hold"):
        compile_mjml(page(content))
