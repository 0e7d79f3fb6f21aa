"""One memcached client's connection. The protocol has no names, so its clients have none either."""

from stores.base import Command
from stores.memcached.text import Requests
from stores.wire import Session


class MemcachedSession(Session):
    """Serves one connection: requests go one at a time to `upstream`, the engine's side of it.

    An upstream has open(), close() and call(request) -> reply bytes, all coroutines.
    """

    def __init__(self, front, upstream):
        super().__init__(front)
        self.parser = Requests()
        self._upstream = upstream

    async def opened(self):
        await self._upstream.open()

    async def closed(self):
        await self._upstream.close()

    def describe(self, request):
        if request.name in (b"", b"quit"):
            return None
        words = [word.decode(errors="replace") for word in request.words]
        data = [] if request.data is None else [_text(request.data)]
        return Command(words[0].upper(), (*words[1:], *data))

    def gated(self, command):
        return False

    async def execute(self, request):
        if request.name == b"quit":
            self.closing = True
            return None
        reply = await self._upstream.call(request)
        return None if request.noreply else reply

    def transient_error(self, request):
        return b"SERVER_ERROR temporary failure\r\n"

    def protocol_error(self, error):
        return b""  # as memcached: it just closes


def _text(data):
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
