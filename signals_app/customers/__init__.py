"""Profiles: identity resolution, consent, orders."""
