"""Log lines: what is in them, and what never is."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from django.db import DataError, IntegrityError, connection

from insightarc_crm import logs
from signals_app.projects.models import Project

PLANTED = "planted-body-text"


@pytest.fixture(autouse=True)
def _no_request_is_answered():
    """Another test of this process may have called the server's application, whose thread this is."""
    before = logs.REQUEST.set("")
    yield
    logs.REQUEST.reset(before)


def record_of(message, *args, error=None, **extra):
    info = None
    if error is not None:
        try:
            raise error
        except type(error):
            info = sys.exc_info()
    return logging.getLogger("test").makeRecord("test", logging.ERROR, __file__, 1, message, args, info, extra=extra)


def said(*args, **kwargs):
    return json.loads(logs.JsonFormatter().format(record_of(*args, **kwargs)))


class TestWhatIsSaid:
    def test_time_level_logger_message_and_fields(self):
        found = said("A delivery needs fixing.", delivery_id="0190-abc", count=3)

        assert found.pop("time").endswith("+00:00")
        assert found == {
            "level": "ERROR",
            "logger": "test",
            "message": "A delivery needs fixing.",
            "delivery_id": "0190-abc",
            "count": 3,
        }

    def test_the_request_and_the_task_that_caused_it(self):
        request, task = logs.REQUEST.set("r-1"), logs.TASK.set(("room.tasks.work", "t-1"))
        found = said("Something.")
        logs.REQUEST.reset(request)
        logs.TASK.reset(task)

        assert (found["request"], found["task"], found["task_id"]) == ("r-1", "room.tasks.work", "t-1")

    def test_a_line_for_people_has_the_same(self):
        line = logs.LineFormatter().format(record_of("It failed.", error=OSError("disk full"), message_id="m-1"))

        first, *way = line.split("\n")
        assert first.endswith("ERROR test It failed. message_id=m-1")
        assert way[0].startswith('  File "')
        assert "OSError: disk full" in way

    def test_an_object_is_one_line(self):
        assert "\n" not in logs.JsonFormatter().format(record_of("a\nb", error=OSError("c")))

    def test_lines_of_other_programs_become_objects(self):
        ours = logs.JsonFormatter().format(record_of("Something."))

        assert logs.present_json_line("web", ours) == ours
        assert json.loads(logs.present_json_line("web", "to ada@example.com"))["message"] == "to [e-mail]"


class TestWhatIsNever:
    @pytest.mark.parametrize(
        "text",
        [
            "ada.lovelace+shop@example.com",
            "mailto:ada.lovelace%40example.com",
            "ada@bücher.example.com",
            "x-insightarc-signature: c2VjcmV0LXNpZ25hdHVyZQ==",
            "{'HTTP_X_INSIGHTARC_SIGNATURE': 'c2VjcmV0'}",
            "Authorization: Bearer abcdef123456",
            "Basic YWRhOmxvdmVsYWNl",
            "Cookie: sessionid=c2VjcmV0",
            "redis://user:c2VjcmV0@redis:6379/0",
            "key sk_live_0123456789abcdefghijklmnopqrstuvwxyzABCDEF",
        ],
    )
    def test_the_net_takes_out(self, text):
        for secret in ("ada", "c2VjcmV0", "abcdef123456", "YWRhOmxvdmVsYWNl", "sk_live_0123456789"):
            assert secret not in said(f"It said {text}")["message"]
            assert secret not in json.dumps(said("It failed.", detail=text))

    @pytest.mark.parametrize(
        "text",
        [
            "/webhooks/insightarc/01900000-0000-7000-8000-000000000000/",
            "Task signals_app.webhooks.tasks.process_inbox[0190f3a2-0000-7000-8000-000000000000] raised",
            "Listening on http://127.0.0.1:8000",
        ],
    )
    def test_the_net_leaves(self, text):
        assert said(text)["message"] == text

    def test_the_net_is_quick_on_long_texts(self):
        began = logs.datetime.now()
        logs.redact("a" * 200_000)
        logs.redact("a." * 100_000 + "@" * 1_000)

        assert (logs.datetime.now() - began).total_seconds() < 5

    @pytest.mark.parametrize("kind", [ValueError, KeyError, RuntimeError, UnicodeError, AssertionError])
    def test_what_an_exception_quotes(self, kind):
        found = said("It failed: %s", kind(PLANTED), error=kind(PLANTED))

        assert PLANTED not in json.dumps(found)
        assert kind.__name__ in found["exception"]
        assert "record_of" in found["exception"]

    def test_what_a_cause_quotes(self):
        error = OSError("connection reset")
        error.__cause__ = ValueError(PLANTED)

        found = said("It failed.", error=error)

        assert PLANTED not in found["exception"]
        assert "ValueError: [message left out]" in found["exception"]
        assert "OSError: connection reset" in found["exception"]

    def test_what_celery_says_of_a_task_that_raised(self):
        context = {"name": "room.tasks.work", "id": "t-1", "exc": repr(ValueError(PLANTED)), "args": f"({PLANTED!r},)"}
        message = "Task %(name)s[%(id)s] raised unexpected: %(exc)s"

        found = said(message, context, error=ValueError(PLANTED), data=context)

        assert PLANTED not in json.dumps(found)
        assert found["message"].startswith("Task room.tasks.work[t-1] raised unexpected: ValueError")

    @pytest.mark.django_db
    def test_the_row_that_a_database_refused(self, project):
        with pytest.raises(IntegrityError) as refused:
            Project.objects.create(slug=project.slug, name=PLANTED, shop_url=f"https://{PLANTED}.example.com")

        found = said("Not stored.", error=refused.value)

        assert PLANTED not in json.dumps(found)
        assert project.slug not in json.dumps(found)
        assert "slug" in found["exception"]  # the constraint is named: that is what helps

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite takes any value")
    def test_the_value_that_postgresql_could_not_read(self):
        with pytest.raises(DataError) as refused, connection.cursor() as cursor:
            cursor.execute("SELECT %s::int", [PLANTED])

        found = said("Not stored.", error=refused.value)

        assert PLANTED not in json.dumps(found)
        assert "SQLSTATE 22P02" in found["exception"]


def test_an_exception_that_ends_a_thread_is_logged_like_others(monkeypatch, caplog):
    import threading

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    logs.log_uncaught()

    def fail():
        raise ValueError(PLANTED)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

    (record,) = caplog.records
    assert PLANTED not in logs.JsonFormatter().format(record)
    assert record.levelname == "CRITICAL"
