"""The program's own log: one JSON object a line, and never the values of variables."""

import structlog


def configure_logs() -> None:
    """For `sekisho serve` and the demo. Tracebacks are plain: a rendering with local variables would write
    operators' tokens and subjects' rows into a file that nobody protects."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    )
