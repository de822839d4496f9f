"""The proxy between components and API server, a program: `python -m pvkit.backends.live.proxy FOLDER`.

Only clusters that are started for faults have one. Each actor has a port of its own. The proxy speaks TLS with the API
server's own certificate, because no client of Kubernetes sends a token in the clear, and passes everything on as it is;
only the binary formats are taken out of what clients accept, so that each frame of a watch is one line of JSON. A
further port takes faults from whoever has the cluster's token.
"""

import asyncio
import hmac
import json
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

from pvkit.backends.errors import UsageError
from pvkit.backends.live.actors import ACTORS
from pvkit.backends.live.calls import Call, call_of
from pvkit.backends.live.components import CONTROL, LOOPBACK, Layout
from pvkit.backends.live.furnishing import layout_in
from pvkit.backends.live.line import Line, Trouble
from pvkit.backends.live.sureness import Sureness
from pvkit.backends.live.unrest import Unrest

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MOST_BYTES = 64 << 20
SIMULATED = "kubelet"
"""The actor that is KWOK."""
_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "keep-alive", "upgrade"})
_REFUSALS = {
    "conflict": (409, "Conflict", "the object has been modified"),
    "quota": (403, "Forbidden", "exceeded quota"),
    "server-error": (500, "InternalError", "an error on the server"),
}


class Proxy:
    """Passes on what actors ask, unless a fault is in the way."""

    def __init__(self, layout: Layout) -> None:
        self._server = layout.server
        self._trusted = ssl.create_default_context(cafile=str(layout.authority))
        self._session: ClientSession | None = None
        self.lines = {name: Line(name, ACTORS[name].kinds) for name in layout.lines if name != CONTROL}
        self.unrest = Unrest(layout, self.lines)
        self.sureness = Sureness()

    async def passed(self, line: Line, request: web.Request) -> web.StreamResponse:
        """Answer one request of an actor."""
        call = call_of(request.method, request.path, request.query)
        if call.verb == "watch":
            return await self._watch(line, call, request)
        body = await request.read()
        if line.actor == SIMULATED:
            body = self.sureness.sure(call, request.path, body)
        trouble = line.trouble(call, request.raw_path.encode() + b" " + body)
        if trouble is None:
            return await self._send(request, body)
        return await self._troubled(line, trouble, request, body)

    async def _troubled(self, line: Line, trouble: Trouble, request: web.Request, body: bytes) -> web.StreamResponse:
        match trouble.word:
            case "refuse" if trouble.answer != "timeout":
                return refusal(trouble.answer)
            case "refuse":
                return cut(request)
            case "lose-answer":
                await self._send(request, body)
                return cut(request)
            case "crash":
                try:
                    return await self._send(request, body)
                finally:
                    self.unrest.crash(line.actor)
        line.under_way += 1
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(line.hurry.wait(), trouble.seconds)
            return await self._send(request, body)
        finally:
            line.under_way -= 1

    def _asked(self, request: web.Request) -> tuple[URL, dict[str, str]]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        headers["Accept"] = readable(request.headers.get("Accept", "*/*"))
        return URL(self._server + request.raw_path, encoded=True), headers

    @property
    def session(self) -> ClientSession:
        """The connections to the API server."""
        if self._session is None:
            connector = TCPConnector(limit=0, ssl=self._trusted)
            timeout = ClientTimeout(total=None, sock_connect=10)
            self._session = ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        return self._session

    async def _send(self, request: web.Request, body: bytes) -> web.StreamResponse:
        url, headers = self._asked(request)
        if body.startswith(b"{") and "protobuf" in headers.get("Content-Type", ""):
            headers["Content-Type"] = "application/json"
        try:
            async with self.session.request(request.method, url, headers=headers, data=body or None) as answer:
                content = await answer.read()
                told = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
                return web.Response(status=answer.status, headers=told, body=content)
        except ClientError:
            return cut(request)

    async def _watch(self, line: Line, call: Call, request: web.Request) -> web.StreamResponse:
        """Pass the frames of a watch on, one by one, until either side ends it."""
        url, headers = self._asked(request)
        initial = request.query.get("sendInitialEvents") == "true"
        async with self.session.get(url, headers={**headers, "Accept-Encoding": "identity"}) as answer:
            told = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            if answer.status != 200:
                return web.Response(status=answer.status, headers=told, body=await answer.read())
            response = web.StreamResponse(headers=told)
            await response.prepare(request)
            stream = line.open(call.kind, initial)
            reading = asyncio.create_task(_frames(answer.content, partial(line.take, stream), stream.ready.put_nowait))
            try:
                while (frame := await stream.ready.get()) is not None:
                    if line.actor == SIMULATED and call.kind == "Pod":
                        self.sureness.learn(frame)
                    await response.write(frame)
            except ConnectionError:
                pass  # Who watched has gone away.
            finally:
                line.close(stream)
                reading.cancel()
            return response


async def _frames(content: Any, take: Callable[[bytes], None], end: Callable[[None], None]) -> None:
    rest = b""
    with suppress(ClientError, TimeoutError):
        async for chunk in content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                take(line + b"\n")
    end(None)


def readable(accept: str) -> str:
    """What a client accepts, without the formats that are not JSON."""
    kept = [entry for entry in accept.split(",") if "protobuf" not in entry and "cbor" not in entry]
    return ",".join(kept) or "application/json"


def refusal(answer: str) -> web.Response:
    """The `Status` of a refusal."""
    code, reason, message = _REFUSALS[answer]
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason}
    return web.json_response({**body, "message": f"{message} (refused by a fault)"}, status=code)


def cut(request: web.Request) -> web.Response:
    """No answer: the connection is cut, and what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def control(proxy: Proxy, token: str) -> Handler:
    """Takes faults (POST: word, options, only) and tells how it stands with each actor (GET)."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode()):
            return web.json_response({"message": "who are you?"}, status=401)
        if request.method == "GET":
            return web.json_response({name: line.state() for name, line in proxy.lines.items()})
        asked = await request.json()
        try:
            return web.json_response({"lacks": await proxy.unrest.disturb(**asked)})
        except UsageError as error:
            return web.json_response({"message": str(error)}, status=400)

    return answer


async def serve(layout: Layout) -> None:
    """Listen for all actors until the process is ended."""
    proxy = Proxy(layout)
    token = json.loads(layout.kubeconfig.read_text())["users"][0]["user"]["token"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(layout.authority, layout.authority.with_suffix(".key"))
    for name, port in layout.lines.items():
        handler = control(proxy, token) if name == CONTROL else partial(proxy.passed, proxy.lines[name])
        await listen(handler, port, context)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await proxy.session.close()


async def listen(handler: Handler, port: int, context: ssl.SSLContext | None) -> web.AppRunner:
    """Answer on a loopback port; who goes away is no longer worked for."""
    application = web.Application(client_max_size=MOST_BYTES)
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port, ssl_context=context, reuse_address=True).start()
    return runner


def main() -> None:
    """Serve the cluster whose folder is named."""
    layout = layout_in(Path(sys.argv[1]))
    if layout is None:
        sys.exit(f"{sys.argv[1]} is no cluster's folder")
    asyncio.run(serve(layout))


if __name__ == "__main__":
    main()
