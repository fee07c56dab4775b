from __future__ import annotations

import pytest
from django.db import connection

from signals_app.core.time_limit import TookTooLong, time_limit
from signals_app.projects.models import Project

pytestmark = pytest.mark.django_db

ENDLESS = {
    "postgresql": "SELECT pg_sleep(60)",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
}


def ask(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_endless_question_is_given_up_and_the_connection_goes_on(project: Project) -> None:
    with pytest.raises(TookTooLong), time_limit(0.05):
        ask(ENDLESS[connection.vendor])

    assert Project.objects.get() == project


def test_the_limit_ends_with_its_block() -> None:
    with time_limit(0.05):
        ask("SELECT 1")

    if connection.vendor == "postgresql":
        ask("SELECT pg_sleep(0.2)")
        with connection.cursor() as cursor:
            cursor.execute("SHOW work_mem")
            assert cursor.fetchone() != ("64MB",)
    else:
        ask("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000000) SELECT count(*) FROM n")


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(Exception) as caught, time_limit(1):  # noqa: PT011 - whatever the database says
        ask("SELECT * FROM there_is_no_such_table")

    assert not isinstance(caught.value, TookTooLong)
