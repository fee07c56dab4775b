"""No database, no middleware, one renderer: nothing that a view that does nothing would not need."""

SECRET_KEY = "only-for-measuring"  # noqa: S105 - it protects nothing
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.noop.urls"
INSTALLED_APPS = ["rest_framework"]
MIDDLEWARE: list[str] = []
USE_I18N = False
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
}
