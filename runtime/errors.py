"""The error tree. Every message tells the person who reads it what is wrong and what to do about it."""


class SharpEyesError(Exception):
    """Something a person can mend; `str(error)` says what and how. Never holds a secret."""


class ConfigurationError(SharpEyesError):
    """A setting, an option or a file the system was started with is wrong: the start stops."""


class InvalidInputError(SharpEyesError):
    """Input from outside breaks its contract: that input is refused, nothing else."""


class NotFoundError(SharpEyesError):
    """What was asked for by name or id does not exist."""


class ConflictError(SharpEyesError):
    """The change contradicts what is stored, such as an id already taken or a site that still has cameras."""


class UnavailableError(SharpEyesError):
    """A server or a disk cannot be reached or written for now: the caller keeps its data and tries again."""
