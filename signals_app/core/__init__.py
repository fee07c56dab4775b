"""Shared kernel: base classes that every room stands on; it has no tables."""
