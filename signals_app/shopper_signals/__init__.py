"""The signals received and the buying intent computed from them."""
