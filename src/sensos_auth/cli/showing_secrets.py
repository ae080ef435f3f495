"""The one time that a secret is shown."""

import click

from sensos_auth.cli.printing import Members, print_json, print_thing


def print_new_secret(members: Members, secret: str, *, as_json: bool) -> None:
    """Print what was made together with its secret, and tell people that it is shown only now."""
    if as_json:
        print_json({**members, "applicationSecret": secret})
        return
    print_thing(members, as_json=False)
    click.echo()
    click.echo(f"application secret  {secret}")
    click.echo()
    click.echo("Keep the secret now: it is shown only this once, and only its digest is stored.")
