"""Product catalogue: feeds, products, coupons, and which product a URL shows."""
