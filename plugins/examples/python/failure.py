"""Why a tool could not answer."""


class ToolFailure(Exception):
    """A failure as the caller sees it; `kind` is a name of `failure-kind` in wit/types.wit, in upper case."""

    def __init__(self, kind: str, message: str, code: str | None = None, retry_after_ms: int | None = None):
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.retry_after_ms = retry_after_ms
