"""Structured logs on standard error: text for people on a terminal, JSON elsewhere. Logins in URLs are masked."""

import logging
import re
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

LogFormat = Literal["auto", "text", "json"]

_URL_LOGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s]*@", re.IGNORECASE)


def mask_url_login(text: str) -> str:
    """`text` with the user name and password of every URL in it replaced by stars; a password may hold ':' and '@'."""
    return _URL_LOGIN.sub(r"\g<scheme>***@", text)


def _mask_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {
        name: mask_url_login(value if isinstance(value, str) else str(value))
        if isinstance(value, str | BaseException)
        else value
        for name, value in event.items()
    }


def configure_logging(level: str = "info", log_format: LogFormat = "auto") -> None:
    """Set up structlog and route the standard library's warnings and above through the same lines."""
    as_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask_values,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for chatty in ("aiokafka", "amqtt", "transitions", "urllib3", "uvicorn", "alembic", "libav"):
        logging.getLogger(chatty).setLevel(max(threshold, logging.WARNING))


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger that carries `logger=name` on each line."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger
