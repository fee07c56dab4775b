"""Tenancy: stores, who works in them, and the keys of their programs."""
