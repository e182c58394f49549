"""Structured logs on standard error: text for people on a terminal, JSON elsewhere. Logins in URLs are masked."""

import logging
import re
import sys
from typing import Any, Literal

import structlog
from structlog.typing import FilteringBoundLogger, WrappedLogger

LogFormat = Literal["auto", "text", "json"]

_WORD = re.compile(r"\S+")
_PASSWORD_PARAMETER = re.compile(r"""(?i)(?<![a-z])((?:password|passwd|pwd|token)=)[^&\s"'\\]+""")


def mask_url_login(text: str) -> str:
    """`text` with the user name and password of every URL in it, and password parameters, replaced by stars.

    A password typed raw may hold ":", "@" and "/", so all up to the last "@" of the word goes; a URL whose path holds
    an "@" loses its host by that, which is better than a password shown.
    """
    if "@" in text and "://" in text:
        text = _WORD.sub(_mask_word, text)
    return _PASSWORD_PARAMETER.sub(r"\1***", text) if "=" in text else text


def _mask_word(found: re.Match[str]) -> str:
    word = found.group()
    at = word.rfind("@")
    slashes = word.find("://", 0, max(0, at))
    return word if slashes <= 0 else f"{word[: slashes + 3]}***{word[at:]}"


def _mask_line(_logger: WrappedLogger, _method: str, line: Any) -> str:
    """The finished line, masked: so it holds for values inside lists, tracebacks and what libraries say, too."""
    return mask_url_login(str(line))


def configure_logging(level: str = "info", log_format: LogFormat = "auto") -> None:
    """Set up structlog and route the standard library's warnings and above through the same lines."""
    as_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer, _mask_line],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for chatty in ("amqtt", "transitions", "urllib3", "uvicorn", "alembic", "libav"):
        logging.getLogger(chatty).setLevel(max(threshold, logging.WARNING))
    # It logs each round of a retry that it makes itself, dozens a second on a fresh cluster; roles say what it costs.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger that carries `logger=name` on each line."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger
