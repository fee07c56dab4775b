from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "signals_app.audit"
    label = "audit"
    verbose_name = "Audit log"

    def ready(self) -> None:
        from signals_app.audit.services import note_deed
        from signals_app.core import deeds

        deeds.listen(note_deed)
