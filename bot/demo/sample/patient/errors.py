"""What a caller may have to catch."""


class GaveUp(Exception):
    """No further attempt will be made; the last failure is the cause."""

    def __init__(self, attempts: int, reason: str) -> None:
        super().__init__(f"gave up after {attempts} attempt{'s' * (attempts != 1)}: {reason}")
        self.attempts = attempts
        self.reason = reason
