"""Webhook gateway: signature, durable inbox, processing."""
