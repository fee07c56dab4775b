from django.apps import AppConfig


class StorefrontConfig(AppConfig):
    name = "signals_app.storefront"
    label = "storefront"
    verbose_name = "Identity kit"

    def ready(self) -> None:
        from signals_app.customers import facets
        from signals_app.emails import link_decorators
        from signals_app.storefront.facet import FACET
        from signals_app.storefront.services import session_link_decorator

        facets.register(FACET)
        link_decorators.register("session links", session_link_decorator)
