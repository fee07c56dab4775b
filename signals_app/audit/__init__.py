"""Who saw, exported and changed what."""
