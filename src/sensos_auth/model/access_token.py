"""The access token: its header and claims, as RFC 9068 profiles them and with what this product adds.

Published format. Claims may be added; none is ever removed, renamed or given another meaning.
"""

import msgspec

TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type, RFC 9068 section 2.1


class Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The claims of an access token (RFC 9068 section 2.2). Times are UTC seconds.

    ``sub`` and ``client_id`` are the application ID. ``credential_id`` names the secret that was shown for the token,
    ``rv`` is the registry version at issue: "void" means "of this application and issued before version v".
    """

    iss: str
    sub: str
    aud: str
    iat: int
    exp: int
    jti: str
    client_id: str
    tenant_id: str
    credential_id: str
    rv: int
    scope: str = ""
