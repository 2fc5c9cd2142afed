"""What ends a command with a message instead of a traceback."""


class ReportedError(Exception):
    """Its message is what the user reads, as it was given: fastai writes the names of callbacks into `args`."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class UserError(ReportedError):
    """Wrong input: the message names place, value, rule and what to do. Commands print it and exit with 2."""


class WriteError(UserError):
    """A file that cannot be written: no space, no permission. What `path` held before is still there."""


class TrainingDiverged(ReportedError):
    """The loss or its gradients became NaN or infinite; continuing would not help.

    Its message: when, in which terms, what to try.
    """


class ResultNotFinite(ReportedError):
    """A network's output for one photo has values that are NaN or infinite. The message names no path."""


class TrainingStopped(ReportedError):
    """Training that ended early and that `--resume` continues. `status`: the command's exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status
