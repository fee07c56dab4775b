"""The shop's pages: the public identify endpoint, the identity kit to copy, and links that say who clicked."""
