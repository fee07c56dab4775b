"""Known signatures, judged by Node and by us."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from signals_app.webhooks import signature

NODE = shutil.which("node")
RECEIVER = Path(__file__).with_name("verify_signature.mjs")
SECRET = "whsec_test"
URL = "https://crm.example.com/hooks/insightarc/demo/"
BODY = (
    '{"drop_proba":0.95,"perfomance":1.2,"num_events":10,"num_loops":2,"num_broken_buttons":1,"avg_loops":2.3,'
    '"avg_broken_buttons":1,"relevant_events":[{"name":"/products/%s"}]}'
)
VECTORS = [
    {"body": BODY % "cafe", "signature": "UQc4l99dMumEP+YBXXjR6JS0bp4="},
    {"body": BODY % "café", "signature": "BQV8Cv/SIOz7Q8eQJXqVLmXfy8U="},
]


def judged_by_node(cases: list[dict[str, str]]) -> int:
    command = [str(NODE), str(RECEIVER), SECRET, URL]
    return subprocess.run(command, input=json.dumps(cases), text=True, capture_output=True, check=False).returncode


@pytest.mark.node
@pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
def test_a_receiver_written_after_the_documentation_agrees_with_the_known_signatures() -> None:
    assert judged_by_node(VECTORS) == 0
    assert judged_by_node([VECTORS[0] | {"signature": VECTORS[1]["signature"]}]) == 1


@pytest.mark.node
@pytest.mark.skipif(NODE is None, reason="Node.js is not installed")
def test_that_receiver_sees_a_body_that_javascript_would_print_otherwise() -> None:
    body = '{"drop_proba": 1.0}'

    assert judged_by_node([{"body": body, "signature": signature.sign(SECRET, body.encode(), URL)}]) == 1


@pytest.mark.parametrize("vector", VECTORS)
def test_our_own_verification_agrees(vector: dict[str, str]) -> None:
    assert signature.sign(SECRET, vector["body"].encode(), URL) == vector["signature"]
