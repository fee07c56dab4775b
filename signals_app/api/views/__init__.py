"""The addresses of the REST API; each starts from the store of the key and makes one call into a room below."""
