from django.apps import AppConfig


class EmailsConfig(AppConfig):
    name = "signals_app.emails"
    label = "emails"
    verbose_name = "E-mails"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.emails.facet import FACET
        from signals_app.emails.transfer_kinds import MESSAGE_EXPORT, SUPPRESSION_EXPORT, SUPPRESSION_IMPORT
        from signals_app.transfers import kinds

        facets.register(FACET)
        kinds.register_import(SUPPRESSION_IMPORT)
        kinds.register_export(SUPPRESSION_EXPORT)
        kinds.register_export(MESSAGE_EXPORT)
