"""django-oauth-toolkit: client_credentials on SQLite.

Its access tokens are random strings that it keeps as rows; it signs nothing. Run as a program, this makes the database
and the applications; served, ``app`` is the WSGI application. Secrets are kept as they are and compared in constant
time: its default, PBKDF2 at every request, would measure the hash and nothing else.
"""

import json
import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

settings.configure(
    SECRET_KEY="not used: nothing here is signed",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="django_urls",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    MIDDLEWARE=[],
    USE_TZ=True,
    LOGGING_CONFIG=None,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["PEER_DATABASE"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 5,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;",
            },
        }
    },
    OAUTH2_PROVIDER={"SCOPES": {"api": "the API"}, "ACCESS_TOKEN_EXPIRE_SECONDS": 36_000},
)

if __name__ == "__main__":
    django.setup()
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    for shown in json.loads(Path(sys.argv[1]).read_text()):
        Application.objects.create(
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
            hash_client_secret=False,
            **shown,
        )
else:
    app = get_wsgi_application()
