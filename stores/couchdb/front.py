"""One HTTP connection of a client of CouchDB."""

import json

from stores.base import Command, Server
from stores.couchdb.errors import CouchError
from stores.couchdb.http import Answer, Requests, encode, error_answer
from stores.couchdb.record import CouchLog, Operation
from stores.wire import Session

UNAVAILABLE = CouchError(503, "service_unavailable", "The server is busy. Try again")
LOCAL = ("127.0.0.1", "localhost")


class CouchServer(Server):
    """What the embedded server and the front of a real one share."""

    name = "couchdb"
    scheme = "http"
    log = CouchLog


class HttpSession(Session):
    """Serves one connection: requests go one at a time to `service`.

    A service has `call(request, operation)`, a coroutine that returns the Answer or raises CouchError; open() and close().
    """

    def __init__(self, front, service):
        super().__init__(front)
        self.parser = Requests()
        self._service = service

    async def opened(self):
        await self._service.open()

    async def closed(self):
        await self._service.close()

    def describe(self, request):
        agent = request.headers.get("user-agent", "")
        self.name = "" if "/" in agent else agent  # "python-requests/2.32" is nobody's name
        return Command(request.method, (request.target, *_told(request)), self.name)

    async def execute(self, request):
        operation = Operation(request.method, request.target)
        for log in self.front.logs:
            log.operations.append(operation)
        try:
            self._check_host(request)
            answer = await self._service.call(request, operation)
        except CouchError as error:
            answer = error_answer(error)
        operation.status = answer.status
        return self._encoded(request, answer)

    def transient_error(self, request):
        return self._encoded(request, error_answer(UNAVAILABLE))

    def protocol_error(self, error):
        body = json.dumps({"error": "bad_request", "reason": str(error)}).encode()
        head = (
            f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body

    def _check_host(self, request):
        """A page in a browser must not reach the server under a name of its own (DNS rebinding)."""
        host = request.headers.get("host", "127.0.0.1").rsplit(":", 1)[0]
        if host not in LOCAL:
            raise CouchError(403, "forbidden", f"expected a request to {' or '.join(LOCAL)}, found one to {host}")

    def _encoded(self, request, answer: Answer):
        written, self.closing = encode(request, answer)
        return written


def _told(request):
    """The body for a reader: JSON as such, anything else as bytes."""
    if not request.body:
        return ()
    try:
        return (json.loads(request.body),)
    except (ValueError, RecursionError):
        return (request.body,)
