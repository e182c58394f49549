"""Chinese or English for what operators and installers see. Logs are always English.

SHARPEYES_LANGUAGE (zh or en) decides; unset, the locale does. Read once, at import.
"""

import os
from typing import Literal

Language = Literal["zh", "en"]


def _choose() -> Language:
    asked = os.environ.get("SHARPEYES_LANGUAGE", "").lower()
    if asked in {"zh", "en"}:
        return "zh" if asked == "zh" else "en"
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"


LANGUAGE: Language = _choose()


def say(*, zh: str, en: str) -> str:
    """The text in the language of this process."""
    return zh if LANGUAGE == "zh" else en
