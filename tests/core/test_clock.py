from datetime import UTC, datetime

import pytest
from django.db import connection
from django.db.models.functions import Now as DjangosNow

from signals_app.core.clock import Now
from signals_app.projects.models import Project


class TestATimeOfTheDatabase:
    def test_is_not_before_itself(self, project: Project) -> None:
        same = Project.objects.filter(pk=project.pk)
        for _ in range(20):
            same.update(created_at=Now())
            written = same.get().created_at

            assert same.filter(created_at=written).exists()
            assert not same.filter(created_at__lt=written).exists()
            assert not same.filter(created_at__gt=written).exists()

    def test_is_what_django_writes_when_no_one_says_a_time(self, project: Project) -> None:
        assert Project.objects.filter(pk=project.pk, created_at=Project.objects.get().created_at).exists()

    @pytest.mark.parametrize("microsecond", [0, 1_000, 401_000])
    def test_is_spelt_as_a_time_of_pythons(self, project: Project, microsecond: int) -> None:
        if connection.vendor != "sqlite":
            pytest.skip("only SQLite keeps times as text")
        moment = datetime(2026, 11, 24, 12, 0, 0, microsecond, tzinfo=UTC)
        with connection.cursor() as cursor:
            sql, params = Project.objects.annotate(t=Now()).values("t").query.sql_with_params()
            julian = f"{moment:%Y-%m-%d %H:%M:%S}.{microsecond // 1000:03}"
            cursor.execute(sql.replace("'NOW'", f"'{julian}'"), [str(param) for param in params])
            spelt = cursor.fetchone()[0]

        assert spelt == str(moment.replace(tzinfo=None))
        assert Now().deconstruct()[0] != DjangosNow().deconstruct()[0]  # so that migrations keep it
