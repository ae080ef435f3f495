"""Failures as the person at the terminal gets them: one sentence on stderr, and an exit status."""

import errno
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from sensos_auth.model.errors import InvalidInput, SensosAuthError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it

_CONFIDENTIAL = re.compile(r"sensos_sk_[^\s'\"]+|eyJ[\w-]+(?:\.[\w-]*)+")


class Refused(click.ClickException):
    """What was asked cannot be done."""

    exit_code = 1


class WrongUsage(click.ClickException):
    """What was asked is malformed."""

    exit_code = 2


@contextmanager
def failures_in_one_sentence() -> Iterator[None]:
    """Turn what goes wrong inside into a ClickException that shows no secret and no token.

    Status 2 for what was asked wrongly, 1 for everything else. An unexpected exception is told by where it happened,
    never by its text, which may hold anything.
    """
    try:
        yield
    except click.ClickException as error:
        message = error.format_message()
        if without_confidential(message) == message:
            raise
        raise _shortened(error, without_confidential(message)) from None
    except InvalidInput as error:
        raise WrongUsage(without_confidential(str(error))) from None
    except SensosAuthError as error:
        raise Refused(without_confidential(str(error))) from None
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    except (click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            raise  # click ends quietly: who read our output has left
        raise Refused(_defect(error)) from None


def without_confidential(text: str) -> str:
    """Return the text with everything that looks like an application secret or a token taken out."""
    return _CONFIDENTIAL.sub("[not shown]", text)


def _shortened(error: click.ClickException, message: str) -> click.ClickException:
    return click.UsageError(message, error.ctx) if isinstance(error, click.UsageError) else Refused(message)


def _defect(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = ", ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    if isinstance(error, OSError):
        return f"the operating system refused: {error.strerror} ({places})"
    return f"a defect of Sensos Auth, please report it: {type(error).__name__} at {places}"
