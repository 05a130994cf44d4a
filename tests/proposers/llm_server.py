"""An OpenAI-compatible chat endpoint that does as it is told, over real HTTP on 127.0.0.1.

In a test:  `with ScriptedServer(lambda request, n: Behaviour(reply="...")) as server: ... server.base_url`
As a process:  `python llm_server.py --port 0 --print-port --mode mutate --log FILE [--latency lognormal]`

The log has one JSON line when a request was read whole (`event: "request"`) and one when its answer was written whole
(`event: "answered"`, with the `seconds` that took). `id` is also in the answer, `client_id` is the caller's
`X-Client-Request-Id`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import json
import os
import random
import re
import threading
import time
import tokenize
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered. `body` overrides the completion that is built around `reply`."""

    reply: str | None = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    finish_reason: str = "stop"
    usage: bool = True
    choices: bool = True
    delay: float = 0.0  # seconds before the answer
    body: bytes | None = None
    hang_up_after: int | None = None  # bytes of the body after which the connection is cut; -1: before the head


@dataclass(frozen=True)
class Received:
    """One request as the server saw it."""

    id: str
    path: str
    headers: Mapping[str, str]
    request: Any  # the JSON body


Script = Callable[[Any, int], Behaviour]  # (request body, how many requests came before it) -> behaviour


@dataclass(frozen=True)
class Latency:
    """Log-normal seconds (median, sigma), and a share of answers that take `slow_seconds`."""

    median: float = 0.0
    sigma: float = 0.6
    slow_share: float = 0.0
    slow_seconds: float = 60.0
    seed: int = 0

    def draw(self, n: int) -> float:
        """Seconds for the n-th request: depends on nothing but n and the seed."""
        if self.median <= 0:
            return 0.0
        rng = random.Random(f"{self.seed}:{n}")
        if rng.random() < self.slow_share:
            return self.slow_seconds
        return self.median * rng.lognormvariate(0.0, self.sigma)


HOSTED = Latency(median=2.0, sigma=0.6, slow_share=0.01, slow_seconds=60.0)  # as a hosted model behaves


class ChatServer:
    """The asyncio server: HTTP/1.1 with keep-alive, one script, counters."""

    def __init__(self, script: Script, latency: Latency | None = None, log: Path | None = None) -> None:
        self.script = script
        self.latency = latency or Latency()
        self.received: list[Received] = []
        self.in_flight = 0
        self.peak_in_flight = 0
        self._log = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._prefix = f"{time.time_ns():x}"

    async def start(self, port: int = 0) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._connections:
            writer.close()
        if self._log is not None:
            os.close(self._log)
            self._log = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection was cut."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        n = len(self.received)
        path = head[0].split(" ")[1]
        self.received.append(Received(f"{self._prefix}-{n}", path, headers, json.loads(body or b"null")))
        self._write_log("request", n, 0.0)
        began = time.monotonic()
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            behaviour = self.script(self.received[n].request, n)
            await asyncio.sleep(behaviour.delay + self.latency.draw(n))
        finally:
            self.in_flight -= 1
        if not await self._answer(writer, behaviour, n):
            return False
        self._write_log("answered", n, time.monotonic() - began)
        return True

    async def _answer(self, writer: asyncio.StreamWriter, behaviour: Behaviour, n: int) -> bool:
        body = behaviour.body if behaviour.body is not None else self._completion(behaviour, n)
        head = {"content-type": "application/json", "content-length": str(len(body)), **behaviour.headers}
        cut = behaviour.hang_up_after
        if cut != -1:
            lines = [f"HTTP/1.1 {behaviour.status} Scripted", *(f"{name}: {value}" for name, value in head.items())]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (body if cut is None else body[:cut]))
            await writer.drain()
        return cut is None

    def _completion(self, behaviour: Behaviour, n: int) -> bytes:
        request = self.received[n].request
        if behaviour.status != 200:
            return json.dumps({"error": {"message": behaviour.reply, "type": "scripted", "code": None}}).encode()
        message = {"role": "assistant", "content": behaviour.reply}
        choice = {"index": 0, "finish_reason": behaviour.finish_reason, "message": message}
        document: dict[str, Any] = {
            "id": f"chatcmpl-{self.received[n].id}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request.get("model", "scripted"),
            "choices": [choice] if behaviour.choices else [],
        }
        if behaviour.usage:
            prompt = len(json.dumps(request["messages"])) // 4
            reply = len(behaviour.reply or "") // 4
            document["usage"] = {
                "prompt_tokens": prompt,
                "completion_tokens": reply,
                "total_tokens": prompt + reply,
            }
        return json.dumps(document).encode()

    def _write_log(self, event: str, n: int, seconds: float) -> None:
        if self._log is None:
            return
        received = self.received[n]
        prompt = json.dumps(received.request, sort_keys=True).encode()
        line = {
            "event": event,
            "time": time.time(),
            "seconds": seconds,
            "id": received.id,
            "n": n,
            "client_id": received.headers.get("x-client-request-id", ""),
            "prompt_sha": hashlib.sha256(prompt).hexdigest(),
        }
        os.write(self._log, json.dumps(line).encode() + b"\n")


class ScriptedServer:
    """A `ChatServer` in a thread of its own, as a context manager."""

    def __init__(self, script: Script, latency: Latency | None = None, log: Path | None = None) -> None:
        self.server = ChatServer(script, latency, log)
        self.base_url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        port = asyncio.run_coroutine_threadsafe(self.server.start(), self._loop).result(10)
        self.base_url = f"http://127.0.0.1:{port}/v1"
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        await self.server.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    @property
    def received(self) -> list[Received]:
        return self.server.received

    @property
    def calls(self) -> int:
        return len(self.server.received)

    @property
    def peak_in_flight(self) -> int:
        return self.server.peak_in_flight


_PARENT = re.compile(r"^## Current policy\b.*?^(`{3,})python\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)


def parent_of(request: Any) -> str:
    """The parent's source text as the prompt shows it."""
    for message in request["messages"]:
        found = _PARENT.search(message["content"])
        if found:
            return found[2]
    raise ValueError("the prompt shows no current policy")


def block(search: str, replace: str) -> str:
    """One SEARCH/REPLACE block; both texts end with a newline."""
    return f"<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"


class Mutate:
    """Answers with a SEARCH/REPLACE block that changes one numeric constant of the parent.

    Depends on nothing but the prompt and how often that prompt came before, so that a run can be repeated.
    """

    def __init__(self, fault_share: float = 0.0, seed: int = 0) -> None:
        self.fault_share = fault_share
        self.seed = seed
        self._seen: Counter[str] = Counter()

    def __call__(self, request: Any, n: int) -> Behaviour:
        digest = hashlib.sha256(json.dumps(request["messages"]).encode()).hexdigest()
        rng = random.Random(f"{self.seed}:{digest}:{self._seen[digest]}")
        self._seen[digest] += 1
        if rng.random() < self.fault_share:
            return rng.choice(FAULTS)
        return Behaviour(reply=mutated(parent_of(request), rng))


FAULTS = (
    Behaviour(status=429, reply="rate limit", headers={"retry-after": "0.05"}),
    Behaviour(status=500, reply="server error"),
    Behaviour(reply="x" * 50, hang_up_after=20),
    Behaviour(hang_up_after=-1),
    Behaviour(reply="I would rather talk about something else."),
    Behaviour(reply="```python\ndef broken(:\n```", finish_reason="length"),
)


def mutated(source: str, rng: random.Random) -> str:
    """A reply that changes one number of the source, or adds a comment line where it has none."""
    lines = source.splitlines(keepends=True)
    start, end = _evolvable(lines)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    numbers = [t for t in tokens if t.type == tokenize.NUMBER and start <= t.start[0] - 1 < end]
    if not numbers:
        anchor = lines[end - 1]
        return "No number to change.\n\n" + block(_unique(lines, end - 1), f"{anchor}# {rng.random()}\n")
    token = rng.choice(numbers)
    row, column = token.start[0] - 1, token.start[1]
    value = _changed(token.string, rng)
    new = lines[row][:column] + value + lines[row][token.end[1] :]
    search = _unique(lines, row)
    return f"I change {token.string} to {value}.\n\n{block(search, search[: -len(lines[row])] + new)}"


def _changed(number: str, rng: random.Random) -> str:
    if re.fullmatch(r"[\d_]+", number):
        return str(int(number) + rng.choice((1, 2, 3, 5, 8)))
    try:
        return repr(float(number) * rng.choice((0.5, 0.8, 0.9, 1.1, 1.25, 2.0)))
    except ValueError:  # hexadecimal, imaginary
        return number.upper()


def _evolvable(lines: list[str]) -> tuple[int, int]:
    starts = [i for i, line in enumerate(lines) if "EVOLVE-BLOCK-START" in line]
    ends = [i for i, line in enumerate(lines) if "EVOLVE-BLOCK-END" in line]
    return (starts[0] + 1, ends[0]) if starts and ends else (0, len(lines))


def _unique(lines: list[str], row: int) -> str:
    """The line with as many lines before it as make it occur once in the source."""
    whole = "".join(lines)
    text = lines[row]
    while whole.count(text) > 1 and row > 0:
        row -= 1
        text = lines[row] + text
    return text


async def _serve_forever(arguments: argparse.Namespace) -> None:
    own = Latency(arguments.median, arguments.sigma, arguments.slow_share, arguments.slow_seconds, arguments.seed)
    latency = HOSTED if arguments.latency == "lognormal" else own
    server = ChatServer(Mutate(arguments.fault_share, arguments.seed), latency, arguments.log)
    port = await server.start(arguments.port)
    if arguments.print_port:
        print(port, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="OpenAI-compatible chat endpoint for tests and benchmarks")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--print-port", action="store_true", help="print the port, then serve until killed")
    parser.add_argument("--mode", choices=["mutate"], default="mutate")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--latency", choices=["none", "lognormal"], default="none", help="lognormal: see HOSTED")
    parser.add_argument("--median", type=float, default=0.0, help="seconds of latency, instead of --latency")
    parser.add_argument("--sigma", type=float, default=0.6)
    parser.add_argument("--slow-share", type=float, default=0.0)
    parser.add_argument("--slow-seconds", type=float, default=60.0)
    parser.add_argument("--fault-share", type=float, default=0.0, help="share of requests that get some fault")
    parser.add_argument("--seed", type=int, default=0)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve_forever(parser.parse_args()))


if __name__ == "__main__":
    main()
