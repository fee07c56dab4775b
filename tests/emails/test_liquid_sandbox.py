import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals_app.emails import liquid_sandbox
from signals_app.emails.exceptions import TemplateError

HOSTILE = "</td><h1>Pay here</h1><script>alert('x')</script>{{ 7*7 }}{% if true %}\"onload=\"x"


def render(source: str, **variables: object) -> str:
    return liquid_sandbox.render(source, variables, escapes_html=True)


@pytest.mark.parametrize("value", ["{{ 7*7 }}", "{% for i in (1..9) %}x{% endfor %}", "{{ shop.secret }}", "}}{{"])
def test_template_syntax_in_a_value_is_printed_as_it_is(value: str) -> None:
    assert render("Hi {{ name }}!", name=value) == f"Hi {value}!"


@pytest.mark.parametrize(
    "source",
    [
        "{{ x }}",
        "{% echo x %}",
        "{{ x | append: x | prepend: x }}",
        "{{ x | upcase }}",
        "{{ x | capitalize | downcase }}",
        "{{ x | newline_to_br }}",
        "{{ x | escape_once }}",
        "{{ x | replace: 'alert', 'b' }}",
        "{{ x | remove: 'alert' | strip | squish | strip_newlines }}",
        "{{ x | slice: 0, 20 }}",
        "{{ x | truncate: 30, x }}",
        "{{ x | truncatewords: 2 }}",
        "{{ x | split: ' ' | join: ' ' }}",
        "{{ x | split: '' | reverse | first }}{{ x | split: '' | join }}",
        "{{ list | map: 'name' | join: ', ' }}",
        "{{ list | first }}{{ list }}",
        "{{ nothing | default: x }}",
        "{{ x | date: '%d' }}",
        "{% capture y %}{{ x }}{% endcapture %}{{ y }}{{ y | append: x }}",
        "{% assign y = x %}{{ y }}",
        "{% cycle x, x %}",
        "{% for item in list %}{{ item.name }}{% endfor %}",
    ],
)
def test_no_filter_or_tag_lets_html_out_of_a_value(source: str) -> None:
    output = render(source, x=HOSTILE, list=[{"name": HOSTILE}], nothing="")

    assert "<h1" not in output.lower()
    assert "<script" not in output.lower()
    assert '"onload' not in output.lower()


@given(st.text(max_size=200))
def test_whatever_a_value_is_it_makes_no_tag(value: str) -> None:
    output = render("[{{ x }}]", x=value)

    assert "<" not in output
    assert '"' not in output


@pytest.mark.parametrize(
    "source",
    [
        "{{ x.__class__ }}",
        "{{ x.__class__.__mro__ }}",
        "{{ request }}",
        "{{ settings.SECRET_KEY }}",
        "{{ list.append }}",
        "{{ x | safe }}",
        "{% load log %}",
        "{% include 'x' %}",
        "{% render 'x' %}",
        "{% extends 'x' %}",
        "{% liquid echo x %}",
        "{% tablerow i in list %}{% endtablerow %}",
        "{% raw %}{{ x }}{% endraw %}",
    ],
)
def test_what_reaches_beyond_the_data_is_refused(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source, x="a", list=["a"])


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' " + "| replace: 'a', 'aaaaaaaaaa' " * 9 + "| size }}",
        "{{ (1..30000000) | join: ',' | size }}",
        "{% for i in (1..9999999999) reversed %}x{% endfor %}",
        "{% for i in (1..big) %}x{% endfor %}",
        "{% if (1..999999999999) contains 5.5 %}x{% endif %}",
        "{{ (1..99999999) | first }}",
        "{% for i in (1..200) %}{% for j in (1..200) %}{% for k in (1..200) %}x{% endfor %}{% endfor %}{% endfor %}",
        "{% for i in (1..200) %}" + "{% if true %}{% endif %}" * 3_000 + "{% endfor %}",
        "{% for i in (1..200) %}" + "{{ '' | upcase | downcase | upcase }}" * 900 + "{% endfor %}",
        "{% assign a = 'aaaaaaaaaaaaaaaaaaaa' %}{% for i in (1..60) %}{% assign a = a | append: a %}{% endfor %}",
        "{% for i in (1..200) %}" + "x" * 2_000 + "{% endfor %}",
        "".join(f"{{% assign a{i} = 1 %}}" for i in range(4_000)),
        "{{ x" + " | upcase" * 7_000 + " }}",
        "{{ " + "(" * 60_000 + " }}",
        "{{ a" + "[a" * 400 + " }}",
        "{% raw %}" * 7_000,
        "{% comment %}" * 5_000,
        "{%" * 30_000,
        "{% if x %}" * 50 + "{% endif %}" * 50,
        "{{ 9 | times: 999999999999999 | times: 999999999999999 }}",
        "{{ '1e999999' | times: 2 }}",
        "{{ 'now' | date: '" + "%c" * 100 + "' }}",
        "{{ long | upcase }}",
        "{% for i in (1..200) %}" + "{% cycle '', '' %}" * 200 + "{% endfor %}",
        "{% for i in (1..200) %}" + "{% assign y = 'now' | date: '%d %B %Y' %}" * 100 + "{% endfor %}",
        "{% for i in (1..200) %}" + "{% assign y = many | uniq %}" * 100 + "{% endfor %}",
        "x" * 300_000,
    ],
)
def test_a_bomb_ends_quickly_with_a_sentence(source: str) -> None:
    began = time.thread_time()

    with pytest.raises(TemplateError) as caught:
        render(source, x="a", big="99999999999", many=list(range(500)), long="x" * 200_000)

    assert str(caught.value)
    assert time.thread_time() - began < 1.0


def test_an_undefined_variable_is_an_error_only_where_it_is_printed() -> None:
    assert render("{% if nobody.name %}a{% else %}b{% endif %}{{ nobody.name | default: 'c' }}") == "bc"
    with pytest.raises(TemplateError, match=r"undefined \(line 2\)"):
        render("\n{{ nobody.name }}")


def test_variables_from_outside_are_listed_and_those_of_loops_are_not() -> None:
    source = "{{ shop.name }}{% for p in products %}{{ p.title }}{% endfor %}{% assign a = b %}{{ a }}{{ c['d'] }}"

    assert liquid_sandbox.variable_paths(source) == {("shop", "name"), ("products",), ("b",), ("c", "d")}


@settings(max_examples=300)
@given(st.lists(st.sampled_from(["{{", "}}", "{%", "%}", " x ", "if", "for i in l", "endif", "|", "'", "\n", "<b>"])))
def test_any_source_is_split_without_loss_or_refused(pieces: list[str]) -> None:
    source = "".join(pieces)

    try:
        split = liquid_sandbox.split_tags(source)
    except TemplateError:
        return

    assert "".join(piece for piece, _ in split) == source


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "{{ x }}",
                "{% if x %}",
                "{% endif %}",
                "{% for i in l %}",
                "{% endfor %}",
                "{{ x | ",
                " }}",
                "{% else %}",
                "{",
            ]
        )
    )
)
def test_any_template_gives_text_or_a_sentence(pieces: list[str]) -> None:
    with contextlib.suppress(TemplateError):
        assert isinstance(render("".join(pieces), x="a", l=["b"]), str)
