"""What things are: tenants, applications, secrets, signing keys, access tokens.

Pure values and rules. Nothing here reads a clock, a file, a socket or a database.
"""
