"""
Settings of the whole program, read from the environment (`.env.example` lists every variable).

Nothing set means the embedded default: SQLite, a broker that needs no server, e-mail captured in the
local mailbox. All of its files live in `var/`.
"""

import ipaddress
import os
import secrets
from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from insightarc_crm.periodic_tasks import SCHEDULE
from insightarc_crm.security import SITE_POLICY
from insightarc_crm.theme import UNFOLD  # noqa: F401 - read by the theme

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var")))
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds what is known about people


def _number(name: str, default: int, *, least: int = 1, most: int | None = None) -> int:
    """Return a whole number of the environment; :raises ImproperlyConfigured: if it is too small or too large."""
    value: int = env.int(name, default=default)
    if value < least or (most is not None and value > most):
        allowed = f"at least {least}" if most is None else f"between {least} and {most}"
        raise ImproperlyConfigured(f"{name} must be {allowed}, got {value}")
    return value


GENERATED_SECRETS: set[str] = set()


def _generated_secret(name: str) -> str:
    """Return the secret kept in `DATA_DIR/name`, made on first use so that no default stands in the code."""
    GENERATED_SECRETS.add(name)
    path = DATA_DIR / name
    if not path.is_file():
        fresh = DATA_DIR / f".{name}.{secrets.token_hex(8)}"
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        try:
            path.hardlink_to(fresh)  # of several processes that start at once, one wins
        except FileExistsError:
            fresh.unlink()
        else:
            fresh.unlink()
    return path.read_text().strip()


# --- The site -------------------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or _generated_secret("secret_key")
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
if not PUBLIC_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured(f"PUBLIC_URL must start with http:// or https://, got {PUBLIC_URL!r}")
PUBLIC_HOST = PUBLIC_URL.split("://", 1)[1].split("/", 1)[0]
IS_HTTPS = PUBLIC_URL.startswith("https://")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[PUBLIC_HOST.split(":")[0], "127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

ROOT_URLCONF = "insightarc_crm.urls"
WSGI_APPLICATION = "insightarc_crm.wsgi.application"
# The sender posts to the exact URL it was given; a redirect would lose the body and change the signed URL.
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "insightarc_crm",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "insightarc_crm.apps.CrmAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_celery_beat",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "import_export",
    "rest_framework",
    "simple_history",
    "anymail",
    "signals_app.core",
    "signals_app.projects",
    "signals_app.audit",
    "signals_app.facts",
    "signals_app.transfers",
    "signals_app.catalog",
    "signals_app.customers",
    "signals_app.shopper_signals",
    "signals_app.segments",
    "signals_app.emails",
    "signals_app.remarketing",
    "signals_app.storefront",
    "signals_app.shops",
    "signals_app.webhooks",
    "signals_app.api",
]

MIDDLEWARE = [
    "insightarc_crm.webhook_shortcut.WebhookShortcutMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "insightarc_crm.security.AdminContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "insightarc_crm.current_project.CurrentProjectMiddleware",
    "insightarc_crm.audit_trail.AuditTrailMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    },
]

# --- Database -------------------------------------------------------------------------------------------------------

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'insightarc.sqlite3'}")}
IS_SQLITE = "sqlite" in DATABASES["default"]["ENGINE"]
if IS_SQLITE:
    # WAL lets readers go on while one writes; IMMEDIATE takes the write lock at BEGIN, so that two writers queue for
    # up to 20 s instead of failing with "database is locked" at their first write.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
    }
    # A test database in a file, so that the threads and processes of one test see the same rows.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    # Without limits a connection that a firewall or a lost host has cut is waited for until the kernel gives it up, a
    # quarter of an hour and more, and whoever commits for all would hold every request meanwhile.
    limits = {"connect_timeout": 5, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
    DATABASES["default"]["OPTIONS"] = limits | {"tcp_user_timeout": 15_000} | DATABASES["default"].get("OPTIONS", {})
    # A request or task borrows a connection while it needs one; most webhook requests never do (`shared_commit`).
    DATABASES["default"]["OPTIONS"].update(
        pool={"min_size": 0, "max_size": _number("DATABASE_POOL_SIZE", 16), "timeout": 5},
        # Only `core.cursors` sends statements that can be prepared. Their parameters are arrays of whatever length, so
        # one plan serves them all; planning or compiling them anew takes longer than they do.
        prepare_threshold=2,
        options="-c plan_cache_mode=force_generic_plan -c jit=off",
    )
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# The inbox row has to survive a request that fails later, and IMMEDIATE would lock on every read.
for database in DATABASES.values():
    database["ATOMIC_REQUESTS"] = False

# --- Web server -----------------------------------------------------------------------------------------------------

# SQLite has one writer, so a second process would only wait for the first.
WEB_WORKERS = _number("WEB_WORKERS", 1 if IS_SQLITE else os.cpu_count() or 1)
WEB_THREADS = _number("WEB_THREADS", 32)  # per process; most wait for a commit

# For how long a webhook request may go by what was read of its source and secrets, in seconds.
WEBHOOK_SOURCE_CACHE_SECONDS = 1.0

# Whether workers are woken for what came or is due; without, their sweepers find it.
PUBLISH_WAKE_UPS = True

# --- Celery: wake-up calls only, the database is the queue of record ------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or env.str("REDIS_URL", default="") or "embedded://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_POOL = "threads"  # in which Celery ends no task for its time: each looks at the clock itself
CELERY_WORKER_CONCURRENCY = _number("WORKER_CONCURRENCY", 4)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A wake-up that cannot be published within a moment is dropped: the sweeper finds its row.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = 2
# The queue's name, for brokers that other programs use too.
CELERY_TASK_DEFAULT_QUEUE = env.str("CELERY_QUEUE", default="insightarc_crm")
# On RabbitMQ: a plain queue that outlives a restart, messages that need not; what they tell stands in the database.
CELERY_TASK_DEFAULT_DELIVERY_MODE = "transient"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = SCHEDULE
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
if CELERY_BROKER_URL.startswith("embedded"):
    CELERY_WORKER_PREFETCH_MULTIPLIER = 16  # the embedded broker is polled; a batch a poll keeps it quick
    CELERY_BROKER_TRANSPORT_OPTIONS = {"path": str(DATA_DIR / "broker.sqlite3"), "polling_interval": 0.1}
else:
    CELERY_WORKER_PREFETCH_MULTIPLIER = 1
    if CELERY_BROKER_URL.startswith("redis"):
        CELERY_BROKER_TRANSPORT_OPTIONS = {
            # What a killed worker held comes back after this. A task that takes longer runs twice, which does no harm.
            "visibility_timeout": 120,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
        }
    elif CELERY_BROKER_URL.startswith("amqp"):
        CELERY_BROKER_TRANSPORT_OPTIONS = {"write_timeout": 5}  # a broker that stands still and reads nothing more

# --- How long things are kept ---------------------------------------------------------------------------------------

KEEP_DELIVERIES_DAYS = _number("KEEP_DELIVERIES_DAYS", 365, least=0)  # 0: for ever; their signals stay in any case
KEEP_SEEN_BODIES_DAYS = _number("KEEP_SEEN_BODIES_DAYS", 30)
KEEP_COUNTS_DAYS = _number("KEEP_COUNTS_DAYS", 400)
KEEP_FACTS_DAYS = _number("KEEP_FACTS_DAYS", 90)
KEEP_IMPORT_FILES_DAYS = _number("KEEP_IMPORT_FILES_DAYS", 14)  # their hashes stay, as evidence
KEEP_EXPORT_FILES_DAYS = _number("KEEP_EXPORT_FILES_DAYS", 7)
KEEP_AUDIT_DAYS = _number("KEEP_AUDIT_DAYS", 730)
KEEP_MAIL_CONTENT_DAYS = _number("KEEP_MAIL_CONTENT_DAYS", 365, least=0)  # 0: for ever
KEEP_CAPTURED_MAILS_DAYS = _number("KEEP_CAPTURED_MAILS_DAYS", 90)
KEEP_UNSEEN_SHOPPERS_MONTHS = _number("KEEP_UNSEEN_SHOPPERS_MONTHS", 0, least=0)  # 0: for ever

# --- Calibration of the sender's score ------------------------------------------------------------------------------

CALIBRATION_WINDOW_DAYS = _number("CALIBRATION_WINDOW_DAYS", 7, most=60)  # an order within it counts as one

# --- E-mail ---------------------------------------------------------------------------------------------------------

if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="") or "signals_app.emails.mailbox.LocalMailboxBackend"
EMAIL_TIMEOUT = 30
# How long a worker may keep what it has claimed before another takes it over: longer than any answer of a mail service
# is waited for. The local mailbox answers at once, so what a killed worker had in hand goes on sooner.
LEASE_SECONDS = _number("LEASE_SECONDS", 30 if EMAIL_BACKEND.endswith(".LocalMailboxBackend") else 120)
# Anymail reads its keys (MAILGUN_API_KEY, POSTMARK_SERVER_TOKEN, ...) from here, under the names it documents.
ANYMAIL = {name.removeprefix("ANYMAIL_"): env.str(name) for name in env.ENVIRON if name.startswith("ANYMAIL_")} | {
    "REQUESTS_TIMEOUT": (5, 30)
}
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="shop@localhost")

# --- Security -------------------------------------------------------------------------------------------------------

# Secrets pasted into the admin are encrypted with the first key; the others still decrypt, for rotation.
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[]) or [_generated_secret("field_encryption_key")]
OUTGOING_CA_FILE = env.str("OUTGOING_CA_FILE", default="")  # trusted instead of the public certificate authorities
OUTGOING_PORTS = env.list("OUTGOING_PORTS", cast=int, default=[80, 443])  # on public addresses
# Networks that outgoing HTTP may reach although they are private, e.g. "10.1.2.0/24,127.0.0.0/8".
OUTGOING_ALLOW_PRIVATE = [ipaddress.ip_network(network) for network in env.list("OUTGOING_ALLOW_PRIVATE", default=[])]

# Where the API of a shop at Shopify is asked; another place only for trying it out.
SHOPIFY_ORIGIN = env.str("SHOPIFY_ORIGIN", default="https://{shop_domain}")

# Who may read /metrics: networks, or whoever sends the token as a bearer token. Everybody else finds nothing there.
METRICS_ALLOW = [ipaddress.ip_network(network) for network in env.list("METRICS_ALLOW", default=["127.0.0.0/8", "::1"])]
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_DIR = DATA_DIR / "metrics"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "insightarc_crm.roles.RoleBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLE_ADMIN = False

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = _number("SECURE_HSTS_SECONDS", 3600 if IS_HTTPS else 0, least=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_STRICT", default=False)
# The proxy in front redirects to https; doing it here would answer the sender's HEAD probe with a redirect.
SECURE_SSL_REDIRECT = False
SILENCED_SYSTEM_CHECKS = [
    "security.W008",  # see above
    "security.W019",  # X_FRAME_OPTIONS: the admin shows mails in frames of its own
]
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", default=False)
if BEHIND_TLS_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    AXES_CLIENT_IP_CALLABLE = "signals_app.core.visitors.address_behind_proxy"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {"DIRECTIVES": SITE_POLICY}

# The webhook view reads at most this much itself; Django's own limit covers every other form and call.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000
IMPORT_MAX_BYTES = _number("IMPORT_MAX_MB", 200) * 1024 * 1024  # of one uploaded list

# --- REST API -------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["signals_app.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["signals_app.api.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["signals_app.api.parsers.StrictJsonParser"],
    "DEFAULT_THROTTLE_CLASSES": ["signals_app.api.throttling.KeyThrottle"],
    "DEFAULT_THROTTLE_RATES": {"api": "1200/min"},
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "signals_app.api.schema.Schema",
    "EXCEPTION_HANDLER": "signals_app.api.exceptions.handle_exception",
    "NON_FIELD_ERRORS_KEY": "request",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "insightarc_crm API",
    "DESCRIPTION": "Buying intent of shoppers, and what was done with it.",
    "VERSION": "1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "MatchState": "signals_app.remarketing.constants.MatchState",
        "MessageState": "signals_app.emails.constants.MessageState",
        "OrderState": "signals_app.customers.constants.OrderState",
        "Reason": "signals_app.remarketing.constants.Reason",
        "SuppressionReason": "signals_app.emails.constants.SuppressionReason",
    },
}

# --- Words, time, files ---------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
USE_I18N = False
FORMAT_MODULE_PATH = ["insightarc_crm.formats"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(DATA_DIR / "static")))
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "insightarc_crm" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True  # no collectstatic needed for the embedded default
MEDIA_ROOT = DATA_DIR / "media"

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
LOG_FORMAT = env.str("LOG_FORMAT", default="line")
if LOG_FORMAT not in {"json", "line"}:
    raise ImproperlyConfigured(f"LOG_FORMAT must be json or line, got {LOG_FORMAT!r}")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "insightarc_crm.logs.LineFormatter"},
        "json": {"()": "insightarc_crm.logs.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "axes": {"level": "WARNING"},
        # Two lines for each wake-up call, several a second, would hide all others.
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}

SENTRY_DSN = env.str("SENTRY_DSN", default="")
if SENTRY_DSN:
    from insightarc_crm import error_reports

    error_reports.start(SENTRY_DSN)

SIMPLE_HISTORY_REVERT_DISABLED = True
