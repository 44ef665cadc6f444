"""What the metrics need and a machine may lack."""

from videoguard.errors import UserError


class MissingResourceError(UserError):
    """A model or database that a metric needs is absent, damaged or not the wanted one.

    A metric that meets it is unscored for this reason.
    """

    def __init__(self, found: str, mend: str) -> None:
        super().__init__(f"{found}. To mend it, {mend}.")
        self.found = found
        """What was looked for, and what was found in its place."""
        self.mend = mend
