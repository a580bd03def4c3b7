"""The one exception that stands for a mistake of the user rather than of the program."""


class UserError(Exception):
    """A mistake the user can mend: the command line prints the message on one line and exits with 2.

    The message says what was received, what was expected and what to do next.
    """
