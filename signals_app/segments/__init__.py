"""Audiences, and the condition language that describes them."""
