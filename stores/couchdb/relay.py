"""Requests to a real CouchDB from the front's thread, one at a time over a connection that is kept."""

import asyncio
import ssl

import h11

from stores.couchdb.http import Answer

PASSED = {"content-type", "if-none-match", "if-match", "accept"}  # headers of a request
KEPT = {"content-type": "Content-Type", "etag": "ETag", "location": "Location"}  # and of an answer


class Relay:
    """One connection to the real server, opened when it is needed."""

    def __init__(self, peer):
        self._peer = peer
        self._writer = None

    def close(self):
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    async def send(self, method, target, headers, body):
        """Return the Answer to one request. Raises OSError when the server is gone."""
        if self._writer is None or self._connection.our_state is not h11.IDLE:
            self.close()
            tls = ssl.create_default_context() if self._peer.tls else None
            self._reader, self._writer = await asyncio.open_connection(self._peer.host, self._peer.port, ssl=tls)
            self._connection = h11.Connection(h11.CLIENT)
        told = {name: value for name, value in headers.items() if name.lower() in PASSED}
        sent = {**self._peer.headers, **told, "Content-Length": str(len(body))}
        send = self._connection.send
        data = send(h11.Request(method=method, target=target, headers=list(sent.items()))) + send(h11.Data(data=body))
        self._writer.write(data + send(h11.EndOfMessage()))
        try:
            return await self._answer()
        except h11.RemoteProtocolError as error:
            self.close()
            raise ConnectionError(str(error)) from None

    async def _answer(self):
        head, body = None, []
        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await self._reader.read(2**16))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionError("the real server closed the connection")
        headers = {KEPT[name.decode()]: value.decode("latin-1") for name, value in head.headers if name.decode() in KEPT}
        if self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE:
            self._connection.start_next_cycle()
        return Answer(b"".join(body), head.status_code, headers)
