"""Every error that ADRS raises on purpose; `typer_cli` turns each into one line and its exit code."""


class AdrsError(Exception):
    """Root of all errors below: the work failed (exit code 1)."""

    exit_code = 1


class InputError(AdrsError):
    """What the user gave is wrong. The message is one line: file, line or field, what was expected, the mend."""

    exit_code = 2


class HouseError(AdrsError):
    """The house failed, not the candidate: never a score, the run stops with the reason.

    `status` is `evaluator_error` or `sandbox_unavailable`.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class ProposerError(AdrsError):
    """The proposer cannot go on (wrong key, unknown model, nothing succeeds): the run stops with the reason."""


class Interrupted(AdrsError):
    """The user stopped the work before there was anything to report."""

    exit_code = 130
