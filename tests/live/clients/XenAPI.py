"""A module named XenAPI, as Python programs expect one: sessions over the standard library's xmlrpc.client, unchanged."""

import http.client
import os
import socket
import ssl
import xmlrpc.client

API_VERSION_1_1 = "1.1"
LOCAL_SOCKETS = ("/var/lib/xcp/xapi", "/var/xapi/xapi")


class Failure(Exception):
    """What the server refused; `details` is the error code followed by its parameters, all strings."""

    def __init__(self, details):
        super().__init__(details)
        self.details = details

    def __str__(self):
        return str(self.details)


class _Calls:
    """Collects a dotted name and calls it: `_Calls(f).VM.start(x)` is `f("VM.start", (x,))`."""

    def __init__(self, call, name=""):
        self._call = call
        self._name = name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Calls(self._call, self._name + "." + name if self._name else name)

    def __call__(self, *params):
        return self._call(self._name, params)


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


class UDSTransport(xmlrpc.client.Transport):
    """XML-RPC over a unix socket."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def make_connection(self, host):
        return _SocketConnection(self._path)


class Session:
    """A connection that logs in once and puts the session's reference first in each call.

    `uri` is the server's address without a path's name; the calls go to /RPC2, the default of xmlrpc.client.
    """

    def __init__(self, uri, transport=None, encoding=None, verbose=False, allow_none=True, ignore_ssl=False):
        context = None
        if ignore_ssl and uri.startswith("https:"):
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._proxy = xmlrpc.client.ServerProxy(
            uri, transport=transport, encoding=encoding, verbose=verbose, allow_none=allow_none, context=context
        )
        self._session = None
        self._login = None
        self.API_version = API_VERSION_1_1

    @property
    def handle(self):
        return self._session

    @property
    def xenapi(self):
        return _Calls(self.xenapi_request)

    def __getattr__(self, name):
        # login_with_password, slave_local_login_with_password, logout and the like, straight on the session.
        if name.startswith("__"):
            raise AttributeError(name)
        return _Calls(self.xenapi_request, name)

    def xenapi_request(self, method, params):
        """Calls `method`; logs in again and retries, at most twice, when the session has ended meanwhile."""
        if method.startswith(("login", "slave_local_login")):
            self._log_in(method, params)
            return None
        if method in ("logout", "session.logout"):
            self._log_out()
            return None
        for attempts_left in (2, 1, 0):
            try:
                return self._send(method, (self._session,) + tuple(params))
            except Failure as failure:
                if failure.details[0] != "SESSION_INVALID" or self._login is None or attempts_left == 0:
                    raise
                self._log_in(*self._login)
        return None

    def _log_in(self, method, params):
        self._session = self._send("session." + method, params)
        self._login = (method, params)
        self.API_version = self._api_version()

    def _api_version(self):
        host = self._send("session.get_this_host", (self._session, self._session))
        major = self._send("host.get_API_version_major", (self._session, host))
        minor = self._send("host.get_API_version_minor", (self._session, host))
        return "%s.%s" % (major, minor)

    def _log_out(self):
        session, self._session, self._login = self._session, None, None
        if session is not None:
            self._send("session.logout", (session,))

    def _send(self, method, params):
        answer = getattr(self._proxy, method)(*params)
        if answer["Status"] == "Success":
            return answer["Value"]
        raise Failure([str(part) for part in answer["ErrorDescription"]])


def xapi_local(path=None):
    """A session over the host's own socket, where root needs no password."""
    path = path or next((p for p in LOCAL_SOCKETS if os.path.exists(p)), LOCAL_SOCKETS[0])
    return Session("http://localhost", transport=UDSTransport(path))
