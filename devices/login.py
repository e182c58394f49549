"""A camera's login out of its URL: URLs are shown and logged, so a login is kept apart from them.

Pure functions. They raise `FieldError`, whose text never repeats the URL: any of it may be part of a password.
"""

import re
from urllib.parse import quote, unquote

from devices.model import Credentials, Secret
from devices.validation import FieldError, check_stream_url
from runtime.language import say

_PASSWORD_PARAMETER = re.compile(r"(?i)(?<![a-z])(password|passwd|pwd|pass|token|auth)=[^&/?#;\s]*")


def split_login(url: str, path: str = "url") -> tuple[str, Credentials | None]:
    """`rtsp://user:pass@host/...` -> (the URL without a login, the login or None); raises FieldError at `path`.

    The login ends at the last '@' before the first '/', so a password may hold ':', '@', '?' and '#' as they are;
    '/' must be written %2F: an '@' behind the first '/' is refused, since what stands before it may be a password's
    tail. User name and password are percent-decoded where that gives valid UTF-8.
    """
    scheme, separator, rest = url.strip().partition("://")
    authority, slash, tail = rest.partition("/")
    login, at, host = authority.rpartition("@")
    if "@" in re.split(r"[?#]", tail, maxsplit=1)[0]:
        raise FieldError(
            path,
            say(
                zh="地址的路径中有 @。如果它属于密码，请把密码里的 / 写成 %2F；否则请把 @ 写成 %40",
                en="there is an @ in the URL's path. If it ends a password, write each / in the password as %2F; "
                "otherwise write the @ as %40",
            ),
        )
    plain = f"{scheme}{separator}{host if at else authority}{slash}{tail}"
    check_stream_url(plain, path)
    return plain, _credentials(login, path) if login else None


def _credentials(login: str, path: str) -> Credentials:
    username, _, password = login.partition(":")
    try:
        return Credentials(_decoded(username), Secret(_decoded(password)))
    except FieldError as error:
        raise FieldError(path, error.reason) from None


def _decoded(part: str) -> str:
    """Percent-decoded, or as it stands where the signs of percent are the password's own."""
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        return part


def join_login(url: str, credentials: Credentials | None) -> str:
    """The inverse, for libraries that take a login only inside a URL. The result must never be shown or logged."""
    if credentials is None:
        return url
    scheme, _, rest = url.partition("://")
    username, password = quote(credentials.username, safe=""), quote(credentials.password.reveal(), safe="")
    return f"{scheme}://{username}:{password}@{rest}"


def shown_url(url: str) -> str:
    """The URL as people may see it: some recorders want a password inside the path or query, shown as stars."""
    return _PASSWORD_PARAMETER.sub(r"\1=***", url)


def holds_password(url: str) -> bool:
    """Whether path or query carry a password parameter, so that the URL itself has to be kept secret."""
    return _PASSWORD_PARAMETER.search(url) is not None


def one_login(*found: Credentials | None) -> Credentials | None:
    """The login that several places agree on, or None; FieldError when two of them differ."""
    logins = [login for login in found if login is not None]
    if any(login != logins[0] for login in logins):
        raise FieldError(
            "username",
            say(
                zh="主码流、子码流和用户名给出了不同的登录信息；一台摄像头只能有一个",
                en="main URL, sub URL and user name give different logins; a camera has one",
            ),
        )
    return logins[0] if logins else None
