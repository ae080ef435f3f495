"""Defects in how a running program notices that a newer one has upgraded its registry beyond it."""

from tests.planted_defects.defect import Defect, in_file

_migrating = in_file("registry/migrating.py", "registry/test_program_age.py")
_transactions = in_file("registry/transactions.py", "registry/test_program_age.py")
_signing_keys = in_file("registry/signing_keys.py", "registry/test_program_age.py")
_following = in_file("registry/following.py", "registry/test_following.py")
_credentials = in_file("registry/credentials.py", "registry/test_following.py")
_follower = in_file("server/registry_follower.py", "server/test_registry_follower.py")

DEFECTS: list[Defect] = [
    _migrating.defect(
        "Z50 whoever runs is not told to look",
        "            _let_running_programs_look(statements, connection, now)\n",
        "            pass\n",
    ),
    _transactions.defect("Z50 a program too old changes the registry", "            check_program(oldest)\n", ""),
    _transactions.defect(
        "Z50 a program too old cleans up",
        "            check_program(self._statements.oldest_program(connection))\n",
        "",
    ),
    _signing_keys.defect("Z50 a program too old reads keys", "    check_program(oldest_program)\n", ""),
    _following.defect("Z50 a program too old follows", "        check_program(standing.oldest_program)\n", ""),
    _credentials.defect("Z50 a program too old reads secrets", "    check_program(oldest_program)\n", ""),
    _follower.defect("Z50 a program too old publishes keys", "        self.keys.refusal = reason\n", ""),
]
