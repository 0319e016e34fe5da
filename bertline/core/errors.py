"""The exception for mistakes that a user can correct."""


class BertlineError(Exception):
    """A mistake in a user's input, configuration or surroundings.

    The message is one or more sentences: what is wrong and where (file, row, key), what was
    expected and what was found, and the command or key that corrects it. The function
    `bertline.core.console.run` prints it without a traceback and exits with code 2.
    """
