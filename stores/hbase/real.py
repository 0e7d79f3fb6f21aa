"""A real HBase: the Thrift server that HBASE_URL names (hbase://host:9090), in tables of the course's own.

HBase has no owners, so the course puts a prefix before the name of every table that it makes, uses these tables and no
others, and deletes these when it stops. What a killed kernel left behind is recognized by the prefix: the next start
deletes it when its owner's process, which the prefix names, is gone from this machine.
"""

import asyncio
import os
import re
import socket
from contextlib import suppress
from hashlib import blake2b
from urllib.parse import urlsplit

import happybase
import psutil
from thriftpy2.thrift import TException

from stores.base import Clock, NotOnRealServer, unreachable, within
from stores.hbase import VARIABLE
from stores.hbase.engine import Failure, table_name
from stores.hbase.front import HBaseServer, ThriftSession
from stores.hbase.thrift import Messages, decode_answer, encode_answer, encode_call, idl
from stores.wire import Front, ProtocolError

CONNECT = 1.5  # seconds for name look-up, connection and the first answer together
ANSWERS = 60_000  # milliseconds for a table to be disabled and deleted
PORT = 9090
TABLES = ("tableName", "tableNameOrRegionName")  # arguments that name a table
INSIDE = {"append": "append", "increment": "increment", "incrementRows": "increments"}  # structs that name one
PREFIX = re.compile(rb"nosql_course_([0-9a-f]{8})_(\d+)_")


class RealHBase(HBaseServer):
    """A real Thrift server, seen through the front."""

    kind = "real"

    def __init__(self, address):
        """Use the server at `address`. Raises Unreachable."""
        machine = blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
        self.prefix = f"nosql_course_{machine}_{os.getpid()}_".encode()
        try:
            self._peer = within(CONNECT, lambda: _inspect(*_parse(address)))
        except TimeoutError:
            raise unreachable(address, f"it did not answer within {CONNECT:g} s", VARIABLE) from None
        except (OSError, ValueError, TException) as error:
            raise unreachable(address, str(error) or "what answers there is not HBase's Thrift server", VARIABLE) from None
        front = Front(lambda front: ThriftSession(front, Upstream(self._peer, self.prefix)))
        super().__init__(front, f"HBase at {self._peer[0]}:{self._peer[1]}", RealClock())
        self._delete(lambda name: name.startswith(self.prefix) or _abandoned(name, machine))
        front.start()

    def clean(self):
        """Delete the tables that were made through this front."""
        self._delete(lambda name: name.startswith(self.prefix))

    def split(self, table, *keys):
        raise NotOnRealServer(f"a real HBase splits its regions itself, or in its shell. Unset {VARIABLE} to run this part")

    def stop(self):
        if not self.running:
            return
        super().stop()
        with suppress(OSError, TException):  # the server is gone; the next start looks again
            self.clean()

    def _delete(self, ours):
        connection = happybase.Connection(*self._peer, timeout=ANSWERS)
        try:
            for name in filter(ours, connection.tables()):
                connection.delete_table(name, disable=True)
        finally:
            connection.close()


class RealClock(Clock):
    """This machine's time. HBase's own cannot be moved."""

    def advance(self, seconds):
        raise NotOnRealServer(f"a real HBase's time cannot be moved. Unset {VARIABLE} to run this part")

    def frozen(self):
        raise NotOnRealServer(f"a real HBase's time cannot be held still. Unset {VARIABLE} to run this part")


class Upstream:
    """The real server's side of one connection: own tables only."""

    def __init__(self, peer, prefix):
        self._peer = peer
        self._prefix = prefix
        self._writer = None

    async def open(self):
        self._reader, self._writer = await asyncio.open_connection(*self._peer)

    async def close(self):
        if self._writer is not None:
            self._writer.transport.abort()

    async def call(self, call, operation):
        """Return the reply to one call, the names of tables in it without the prefix."""
        operation.rows = operation.written = operation.regions = None  # it does not tell
        self._name_tables(call.args, call.method)
        self._writer.write(encode_call(call))
        answer = decode_answer(call, await self._reply())
        self._strip(answer, call.method, operation)
        return encode_answer(call, answer)

    def _strip(self, answer, method, operation):
        """Take the prefix out of names of tables and regions, and out of what errors say."""
        success = getattr(answer, "success", None)
        if method == "getTableNames" and success is not None:
            answer.success = [name[len(self._prefix) :] for name in success if name.startswith(self._prefix)]
        elif isinstance(success, list):
            operation.returned += sum(isinstance(each, idl.TRowResult) for each in success)
            for region in success:
                if isinstance(region, idl.TRegionInfo):
                    region.name = region.name.removeprefix(self._prefix)
        for error in (answer, *(getattr(answer, name, None) for name in ("io", "ia", "exist"))):
            if isinstance(getattr(error, "message", None), bytes):
                error.message = error.message.replace(self._prefix, b"")

    def _name_tables(self, arguments, method):
        for name in TABLES:
            if hasattr(arguments, name):
                setattr(arguments, name, self._prefixed(getattr(arguments, name)))
        if method in INSIDE:
            inside = getattr(arguments, INSIDE[method])
            for each in inside if isinstance(inside, list) else [inside]:
                each.table = self._prefixed(each.table)
        if method == "getRegionInfo":
            raise Failure("getRegionInfo looks at everybody's tables: use getTableRegions", "java.io.IOException")

    def _prefixed(self, name):
        return self._prefix + table_name(name or b"")  # with the prefix, bad names would be good ones

    async def _reply(self):
        reader = Messages(decode=lambda message, framed: message)
        while True:
            data = await self._reader.read(2**16)
            if not data:
                raise ConnectionError("the real server closed the connection")
            for message in reader.feed(data):
                if isinstance(message, ProtocolError):
                    raise ConnectionError(str(message))
                return message


def _abandoned(name, machine):
    """Whether a table belongs to a kernel of this machine that is gone."""
    match = PREFIX.match(name)
    return bool(match) and match[1].decode() == machine and not psutil.pid_exists(int(match[2]))


def _parse(address):
    parts = urlsplit(address if "//" in address else f"//{address}")
    if parts.scheme not in ("", "hbase", "thrift") or not parts.hostname:
        raise ValueError(f"the address is not of the form hbase://host:{PORT}")
    return parts.hostname, parts.port or PORT


def _inspect(host, port):
    """Return (ip, port) of a server that lists its tables, or raise."""
    try:
        with socket.create_connection((host, port), timeout=CONNECT) as sock:
            peer = sock.getpeername()[:2]
    except socket.gaierror:
        raise ValueError("its host name is not known") from None
    except ConnectionRefusedError:
        raise ValueError("nothing listens there (connection refused)") from None
    connection = happybase.Connection(*peer, timeout=int(1000 * CONNECT))
    try:
        connection.tables()
    finally:
        connection.close()
    return peer
