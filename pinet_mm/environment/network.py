"""Why a URL could not be read, in words that need no knowledge of Python."""

import socket
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit


def reason_of_download(error: Exception) -> str:
    """Return in one line what went wrong, without the `<urlopen error ...>` around it.

    Args:
        error: of `urllib.request.urlopen`, or of reading what it returned.
    """
    inner = error.reason if isinstance(error, URLError) else error
    if isinstance(error, HTTPError):  # its reason lacks the number
        inner = error
    return ' '.join(str(getattr(inner, 'strerror', None) or inner).split())


def unknown_host(url: str) -> str:
    """Return 'the host ... cannot be found: ...' if that of a URL has no address, else ''.

    Args:
        url: that could not be opened; a path is a URL without a host.
    """
    try:
        host = urlsplit(url).hostname
        if host:
            socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        return f'the host {host} cannot be found: {error.strerror}'
    except ValueError:  # no URL, or no name that a host can have
        return ''
    return ''
