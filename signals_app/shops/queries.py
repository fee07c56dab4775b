"""
The questions that we ask of Shopify's GraphQL API, version 2026-10: https://shopify.dev/docs/api/admin-graphql/2026-10.

A page is so small that its question costs less than the 1,000 points that one may cost:
https://shopify.dev/docs/api/usage/limits.
"""

from __future__ import annotations

from signals_app.shops.constants import Resource

SHOP = "query { shop { name myshopifyDomain currencyCode } }"

SUBSCRIPTIONS = """
query Subscriptions($cursor: String) {
  webhookSubscriptions(first: 100, after: $cursor) {
    nodes { id topic uri }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SUBSCRIBE = """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $address: String!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $address, format: JSON}) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""

_MONEY = "{ shopMoney { amount currencyCode } }"

_ORDER = f"""
    id name email test createdAt processedAt updatedAt cancelledAt checkoutToken
    totalPriceSet {_MONEY}
    customer {{ id defaultEmailAddress {{ emailAddress }} }}
    shippingAddress {{ countryCodeV2 }} billingAddress {{ countryCodeV2 }}
    lineItems(first: 20) {{
      nodes {{ sku title quantity variant {{ id }} originalUnitPriceSet {_MONEY} }}
      pageInfo {{ hasNextPage }}
    }}
    refunds(first: 20) {{ id createdAt totalRefundedSet {_MONEY} }}
    fulfillments(first: 10) {{ id status createdAt updatedAt trackingInfo(first: 1) {{ url }} }}
"""

_CUSTOMER = """
    id firstName lastName locale tags createdAt updatedAt
    defaultEmailAddress { emailAddress marketingState marketingOptInLevel marketingUpdatedAt }
    defaultAddress { countryCodeV2 }
"""

_PRODUCT = """
    id title handle vendor productType status publishedAt createdAt updatedAt
    featuredMedia { preview { image { url } } }
    variants(first: 50) {
      nodes { id price compareAtPrice availableForSale media(first: 1) { nodes { preview { image { url } } } } }
      pageInfo { hasNextPage }
    }
"""

PAGE_SIZES = {Resource.ORDERS: 10, Resource.CUSTOMERS: 50, Resource.PRODUCTS: 8}


def _pages(resource: Resource, fields: str) -> str:
    return f"""
query Pages($cursor: String, $search: String) {{
  {resource.value}(first: {PAGE_SIZES[resource]}, after: $cursor, query: $search, sortKey: UPDATED_AT) {{
    nodes {{ {fields} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""


PAGES = {
    Resource.ORDERS: _pages(Resource.ORDERS, _ORDER),
    Resource.CUSTOMERS: _pages(Resource.CUSTOMERS, _CUSTOMER),
    Resource.PRODUCTS: _pages(Resource.PRODUCTS, _PRODUCT),
}

COUNTS = {
    resource: f"query Count($search: String) {{ {resource.value}Count(query: $search, limit: null) {{ count }} }}"
    for resource in Resource
}
