"""The registry's SQL, loaded from ``queries/``: one set of statements for both engines.

``aiosql`` makes a function of each named statement; its name in the file says which shape of answer it has.
"""

from functools import cache
from importlib.resources import as_file, files
from typing import Any, Literal

import aiosql

Driver = Literal["apsw", "psycopg"]


@cache
def load_statements(driver: Driver) -> Any:  # noqa: ANN401 - aiosql makes the methods from the files
    """Return the statements as callables that take a connection of the driver and named parameters."""
    with as_file(files("sensos_auth.registry") / "queries") as folder:
        text = "\n".join(path.read_text("utf-8") for path in sorted(folder.glob("*.sql")))
    return aiosql.from_str(text, driver)
