"""The one exception for a mistake of the user's."""

import logging
import sys


class UserError(Exception):
    """Wrong input: the message names place, value, rule and what to do. Commands print it and exit with 2."""


def run_command(command):
    """Runs `command()`, a script's main function, and exits with the status it returns (None counts as 0).

    UserError ends the program with its message and status 2, Ctrl-C with 130.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        sys.exit(command())
    except UserError as error:
        sys.exit(exit_with(2, f"error: {error}"))
    except KeyboardInterrupt:
        sys.exit(exit_with(130, "\nstopped"))


def exit_with(status, message):
    print(message, file=sys.stderr)
    return status
