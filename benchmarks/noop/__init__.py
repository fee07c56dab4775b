"""A view that does nothing, as the ceiling of what Django and DRF allow."""
