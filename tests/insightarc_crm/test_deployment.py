"""What is shipped for a server fits together: compose file, image, proxy, environment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.core.management import load_command_class

from insightarc_crm.management.commands.run import chosen_services

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = ("migrate", "web", "worker", "beat")
ENVIRONMENT_EXAMPLE = (ROOT / ".env.example").read_text()
DOCUMENTED = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", ENVIRONMENT_EXAMPLE, re.MULTILINE))


class TestEnvironmentExample:
    def test_lists_every_variable_that_the_settings_read(self):
        settings = (ROOT / "insightarc_crm/settings.py").read_text()

        read = set(re.findall(r'(?:env\.\w+|_number)\(\s*"([A-Z0-9_]+)"', settings))
        assert {"PUBLIC_URL", "KEEP_COUNTS_DAYS"} <= read <= DOCUMENTED

    def test_lists_every_variable_that_the_compose_file_reads(self):
        read = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))

        assert read - {"VERSION"} <= DOCUMENTED

    def test_says_a_word_about_each(self):
        lines = ENVIRONMENT_EXAMPLE.splitlines()
        named = [number for number, line in enumerate(lines) if re.match(r"^#?[A-Z][A-Z0-9_]+=", line)]

        assert all(lines[number - 1].startswith("#") for number in named)


class TestComposeFile:
    def test_names_only_services_networks_and_volumes_that_it_defines(self):
        for name, service in SERVICES.items():
            assert set(service.get("depends_on", {})) <= set(SERVICES), name
            assert service["networks"], name
            assert set(service["networks"]) <= set(COMPOSE["networks"]), name
            volumes = {volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith(".")}
            assert volumes <= set(COMPOSE["volumes"]), name

    def test_waits_only_for_services_that_can_become_healthy(self):
        for service in SERVICES.values():
            for name, condition in service.get("depends_on", {}).items():
                if condition["condition"] == "service_healthy":
                    assert "test" in SERVICES[name]["healthcheck"]

    @pytest.mark.parametrize("name", OURS)
    def test_runs_our_processes_without_privileges(self, name):
        service = SERVICES[name]

        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]

    @pytest.mark.parametrize(("name", "expected"), [("web", ["web"]), ("worker", ["worker"]), ("beat", ["beat"])])
    def test_starts_one_kind_of_process_in_each_container(self, name, expected):
        python, script, command, *arguments = SERVICES[name]["command"]
        parser = load_command_class("insightarc_crm", command).create_parser(script, command)
        options = vars(parser.parse_args([*arguments, *(["--port", "0"] if name == "web" else [])]))

        assert (python, script, command) == ("python", "manage.py", "run")
        assert [service.name for service in chosen_services(**options)] == expected

    def test_has_no_default_for_a_secret(self):
        text = (ROOT / "docker-compose.yml").read_text()

        for name in ("POSTGRES_PASSWORD", "SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DOMAIN"):
            uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", text)
            assert any(use.startswith(":?") for use in uses), name
            assert not any(use.startswith(":-") for use in uses), name

    def test_opens_no_port_but_the_proxys(self):
        opened = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

        assert all(port.startswith("127.0.0.1:") for port in opened.pop("mail"))
        assert list(opened) == ["proxy"]

    def test_starts_what_is_not_needed_only_when_asked(self):
        assert {name for name, service in SERVICES.items() if "profiles" in service} == {"mail", "rabbitmq"}
        for name, service in SERVICES.items():
            if "profiles" not in service:
                assert not set(service.get("depends_on", {})) & {"mail", "rabbitmq"}, name

    def test_looks_after_the_health_of_everything_that_stays(self):
        checked = {name for name, service in SERVICES.items() if "test" in service.get("healthcheck", {})}

        assert checked == set(SERVICES) - {"migrate", "proxy"}

    def test_keeps_database_and_broker_off_the_outside(self):
        assert COMPOSE["networks"]["inside"]["internal"] is True
        assert SERVICES["postgres"]["networks"] == SERVICES["redis"]["networks"] == ["inside"]


class TestImage:
    def test_runs_as_a_user_without_rights(self):
        lines = (ROOT / "Dockerfile").read_text().splitlines()
        last_user = [line for line in lines if line.startswith("USER ")][-1]

        assert last_user == "USER crm"

    def test_copies_only_what_the_context_lets_through(self):
        let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
        copied = {
            path
            for line in (ROOT / "Dockerfile").read_text().splitlines()
            if line.startswith("COPY ") and "--from" not in line
            for path in line.split()[1:-1]
        }

        assert copied == let_through
        assert all((ROOT / path).exists() for path in copied)


def settings_with(tmp_path, *names, **environment):
    """Return settings as a fresh process has them in this environment."""
    program = "import json, django; from django.conf import settings as s; print(json.dumps([getattr(s, n, None) for n in {!r}]))"
    done = subprocess.run(
        [sys.executable, "-c", program.format(names)],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "insightarc_crm.settings",
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEASE_SECONDS", "0"),
        ("WEB_THREADS", "-1"),
        ("KEEP_MAIL_CONTENT_DAYS", "-1"),
        ("CALIBRATION_WINDOW_DAYS", "61"),
    ],
)
def test_a_number_that_cannot_be_is_refused_by_its_name(tmp_path, name, value):
    with pytest.raises(subprocess.CalledProcessError) as refused:
        settings_with(tmp_path, "DEBUG", **{name: value})

    assert f"{name} must be" in refused.value.stderr


TLS = (
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
    "SECURE_HSTS_SECONDS",
    "SECURE_PROXY_SSL_HEADER",
    "SECURE_SSL_REDIRECT",
    "USE_X_FORWARDED_HOST",
)


class TestBehindATlsProxy:
    def test_cookies_are_secure_and_the_proxys_headers_believed(self, tmp_path):
        environment = {"PUBLIC_URL": "https://crm.example.com", "BEHIND_TLS_PROXY": "true"}

        cookies, csrf, hsts, header, redirects, host = settings_with(tmp_path, *TLS, **environment)

        assert cookies is csrf is True
        assert hsts == 3600
        assert header == ["HTTP_X_FORWARDED_PROTO", "https"]
        assert redirects is host is False

    def test_without_one_no_header_is_believed_and_nothing_redirected(self, tmp_path):
        cookies, csrf, hsts, header, redirects, host = settings_with(tmp_path, *TLS)

        assert cookies is csrf is redirects is host is False
        assert hsts == 0
        assert header is None


class TestOnPostgreSQL:
    def test_a_connection_that_is_cut_is_given_up_soon(self, tmp_path):
        (databases,) = settings_with(tmp_path, "DATABASES", DATABASE_URL="postgres://crm:x@db.example.com/crm")

        options = databases["default"]["OPTIONS"]
        assert options["connect_timeout"] <= 5
        assert options["tcp_user_timeout"] <= 15_000
        assert options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"] <= 60

    def test_the_address_may_say_otherwise(self, tmp_path):
        address = "postgres://crm:x@db.example.com/crm?connect_timeout=9&sslmode=verify-full"

        (databases,) = settings_with(tmp_path, "DATABASES", DATABASE_URL=address)

        options = databases["default"]["OPTIONS"]
        assert (options["connect_timeout"], options["sslmode"]) == (9, "verify-full")
