from datetime import UTC, datetime

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MJML = (
    "<mjml><mj-body><mj-section><mj-column>"
    "<mj-text>Hi {{ customer.first_name | default: 'there' }}"
    "{% for product in products %} [{{ product.title }}|{{ product.url }}|{{ product.price_text }}]{% endfor %}</mj-text>"
    "<mj-text>{{ sender.postal_address }} <a href='{{ unsubscribe_url }}'>Unsubscribe</a></mj-text>"
    "</mj-column></mj-section></mj-body></mjml>"
)
