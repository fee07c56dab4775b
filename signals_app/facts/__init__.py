"""Transactional outbox: what happened, numbered without gaps."""
