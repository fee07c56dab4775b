"""The shop's own system, connected: what it says of orders, customers and products, by webhook and by its API."""
