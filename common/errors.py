"""The one exception for a mistake of the user's."""


class UserError(Exception):
    """Wrong input: the message names place, value, rule and what to do. Commands print it and exit with 2."""
