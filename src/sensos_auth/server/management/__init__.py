"""The management API: tenants and operators do over HTTP what the command line does on the registry.

Each module of routes (tenants, applications, …) says for each operation which scope it needs and calls the use cases of
:mod:`sensos_auth.registry`; all else is the same for all of them:

* who calls, and what he may: :mod:`.authority`, :mod:`.reach`, :mod:`.grants`
* how an operation is declared and carried out: :mod:`.operations`, :mod:`.carrying_out`
* what comes in and goes out: :mod:`.bodies`, :mod:`.members`, :mod:`.pages`, :mod:`.replies`
* what makes repeating and concurrent changes safe: :mod:`.idempotency`, :mod:`.preconditions`
"""
