import json
import math
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals_app.webhooks.javascript import stringify

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"), (-0.0, "0"), (0.95, "0.95"), (1e21, "1e+21"), (1e20, "100000000000000000000"), (1.5e-7, "1.5e-7"),
        (0.000001, "0.000001"), (123456789012345680000.0, "123456789012345680000"), (math.inf, "null"),
        ("café\n", '"café\\n"'), ("\ud800", '"\\ud800"'), ({"a": [True, None]}, '{"a":[true,null]}'),
    ],
)  # fmt: skip
def test_prints_what_javascript_prints(value: object, text: str) -> None:
    assert stringify(value) == text


@given(values)
def test_reads_back_as_the_same_value(value: object) -> None:
    assert json.loads(stringify(value), parse_int=float) == value  # JavaScript has but one kind of number


@pytest.mark.node
@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_node_prints_the_same() -> None:
    found = [2.0**power * factor for power in range(-80, 80, 3) for factor in (1, -1.1, 3.3)]
    program = "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0))))"

    printed = subprocess.run(
        ["node", "-e", program],  # noqa: S607 - the Node of whoever runs the tests
        input=stringify(found),
        capture_output=True,
        text=True,
        check=True,
    )

    assert printed.stdout == stringify(found)
