"""HTTP between the network and the methods of CouchDB: bytes in, requests out; answers in, bytes out. h11 knows the rules."""

import json
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from stores.couchdb.errors import CouchError, bad_request
from stores.wire import ProtocolError

LARGEST = 64 * 2**20  # bytes of a request's body
AGENT = "CouchDB/3.3 (embedded)"


@dataclass
class Request:
    """A request: `path` is split at its slashes and each part decoded; `query` has its parameters as text."""

    method: str
    target: str
    headers: dict
    body: bytes
    connection: h11.Connection
    path: list = field(init=False)
    query: dict = field(init=False)

    def __post_init__(self):
        parts = urlsplit("//host" + self.target if self.target.startswith("/") else self.target)
        self.path = [unquote(part) for part in parts.path.split("/")[1:]]
        if self.path[-1:] == [""]:
            self.path.pop()
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))

    def check_type(self):
        """Raise CouchError 415 unless the body is said to be JSON."""
        if self.headers.get("content-type", "").split(";")[0].strip() != "application/json" and self.method == "POST":
            raise CouchError(415, "bad_content_type", "Content-Type must be application/json")

    def json(self):
        """Return the body as JSON. Raises CouchError 415, 400."""
        self.check_type()
        try:
            return json.loads(self.body.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise bad_request("invalid UTF-8 JSON") from None

    def json_object(self):
        """Return the body as a JSON object, {} if it is empty."""
        if not self.body.strip() and self.method != "POST":
            return {}
        told = self.json()
        if not isinstance(told, dict):
            raise bad_request("Request body must be a JSON object")
        return told

    def parameter(self, *names, default=None):
        """Return a parameter that is written as JSON: `key="a"`, `limit=3`. Raises CouchError 400."""
        for name in names:
            if name in self.query:
                try:
                    return json.loads(self.query[name], parse_constant=_refuse)
                except (ValueError, RecursionError):
                    raise bad_request("invalid UTF-8 JSON") from None
        return default

    def flag(self, name, default=False):
        told = self.query.get(name, "true" if default else "false")
        if told not in ("true", "false"):
            raise CouchError(400, "query_parse_error", f"Invalid boolean parameter: {json.dumps(told)}")
        return told == "true"

    def count(self, name, default=None):
        """Return a parameter that is a whole number, 0 or more."""
        told = self.query.get(name)
        if told is None:
            return default
        if not (told.isascii() and told.isdigit()) or len(told) > 15:
            raise CouchError(400, "query_parse_error", f"Invalid value for integer: {json.dumps(told)}")
        return int(told)


@dataclass
class Answer:
    """An answer: `body` is JSON to be, or bytes as they are."""

    body: object
    status: int = 200
    headers: dict = field(default_factory=dict)


class Requests:
    """Feed it bytes; it returns the requests that are complete, the last may be a ProtocolError."""

    def __init__(self):
        self._failed = False
        self._begin(b"")

    def _begin(self, data):
        """A connection of h11 reads one request: the next is read before this one is answered."""
        self._connection = h11.Connection(h11.SERVER)
        if data:  # no data would mean that the client has closed
            self._connection.receive_data(data)
        self._head, self._body = None, []

    def feed(self, data):
        requests = []
        if self._failed:
            return requests
        try:
            self._connection.receive_data(data)
            while (request := self._next()) is not None:
                requests.append(request)
                self._begin(self._connection.trailing_data[0])
        except (h11.RemoteProtocolError, ProtocolError, ValueError) as error:
            self._failed = True
            requests.append(ProtocolError(str(error)))
        return requests

    def _next(self):
        while True:
            event = self._connection.next_event()
            if isinstance(event, h11.Request):
                self._head = event
            elif isinstance(event, h11.Data):
                self._body.append(bytes(event.data))
                if sum(map(len, self._body)) > LARGEST:
                    raise ProtocolError(f"the request entity is too large: expected {LARGEST} bytes at most")
            elif isinstance(event, h11.EndOfMessage):
                headers = {name.decode(): value.decode("latin-1") for name, value in self._head.headers}
                target = self._head.target.decode("ascii")
                return Request(self._head.method.decode(), target, headers, b"".join(self._body), self._connection)
            else:  # it needs more data, or the client has closed
                return None


def encode(request, answer):
    """Return the bytes of an answer, and whether the connection ends with it."""
    headers = {"Server": AGENT, "Date": formatdate(usegmt=True), "Cache-Control": "must-revalidate", **answer.headers}
    body = answer.body
    if not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
        headers.setdefault("Content-Type", "application/json")
    if answer.status != HTTPStatus.NOT_MODIFIED:
        headers["Content-Length"] = str(len(body))
    send = request.connection.send
    written = send(h11.Response(status_code=answer.status, headers=list(headers.items()), reason=_reason(answer.status)))
    if request.method != "HEAD" and answer.status != HTTPStatus.NOT_MODIFIED:
        written += send(h11.Data(data=body))
    written += send(h11.EndOfMessage())
    return written, request.connection.our_state is not h11.DONE


def error_answer(error):
    return Answer({"error": error.error, "reason": error.reason}, error.status)


def _reason(status):
    return HTTPStatus(status).phrase.encode()


def _refuse(name):
    raise ValueError(f"{name} is not JSON")
