"""URLs: what is shown of them, how they are asked for, and why one could not be read."""

import re
import socket
from base64 import b64encode
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request

# What stands before the host may hold an @ of its own.
USER = re.compile(r'^([a-z][a-z0-9+.-]*://)[^/?#]*@', re.IGNORECASE)


def without_user(url: str) -> str:
    """Return a URL without user and password, for results and messages; other text as it is."""
    return USER.sub(r'\1', url)


def request_of(url: str) -> Request:
    """Return what asks for a URL; urllib takes user and password of HTTP for a part of the host.

    Args:
        url: of any scheme that urllib knows.

    Raises:
        ValueError: it is no URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ('http', 'https'):
        return Request(url)
    request = Request(without_user(url))
    if parts.username is not None:
        pair = f'{unquote(parts.username)}:{unquote(parts.password or "")}'
        secret = b64encode(pair.encode()).decode()
        request.add_unredirected_header('Authorization', f'Basic {secret}')
    return request


def reason_of_download(url: str, error: Exception) -> str:
    """Return in one line what went wrong, without the `<urlopen error ...>` around it.

    Args:
        url: that was asked for.
        error: of `urllib.request.urlopen`, or of reading what it returned.
    """
    inner: object = error
    if isinstance(error, URLError) and not isinstance(error, HTTPError):
        inner = error.reason
    if isinstance(inner, socket.gaierror):
        return _missing_host(url, inner)
    return ' '.join(str(getattr(inner, 'strerror', None) or inner).split())


def unknown_host(url: str) -> str:
    """Return 'the host ... cannot be found: ...' if that of a URL has no address, else ''.

    Args:
        url: that could not be opened; a path is a URL without a host.
    """
    try:
        if host := urlsplit(url).hostname:
            socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        return _missing_host(url, error)
    except ValueError:  # no URL, or no name that a host can have
        pass
    return ''


def _missing_host(url: str, error: socket.gaierror) -> str:
    return f'the host {urlsplit(url).hostname} cannot be found: {error.strerror}'
