"""Why a URL could not be read, in words that need no knowledge of Python."""

import socket
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit


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
