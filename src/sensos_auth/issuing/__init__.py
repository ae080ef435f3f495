"""From an application secret to an access token, and the keys that sign it.

Start at :mod:`sensos_auth.issuing.issuer`: the whole path of a token request is one function there.
"""
