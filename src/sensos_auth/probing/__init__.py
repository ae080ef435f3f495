"""Bad requests for a running API service of one's own, and what its answers say about it.

:mod:`sensos_auth.probing.probes` holds the requests, one module for each group; :mod:`sensos_auth.probing.judge` what
must come back; :mod:`sensos_auth.probing.run` sends one after the other. The token, the keys and the registry that
some of them need are handed in (:mod:`sensos_auth.probing.means`); nothing here reads an environment or a registry.
"""
