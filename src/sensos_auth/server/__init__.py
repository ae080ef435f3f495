"""The HTTP edge: the token endpoint, the JWKS, health, the example API, and the processes that serve them."""
