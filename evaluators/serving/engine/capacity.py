"""What an engine gets through at best, and streams that are as fast as one says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evaluators.serving.cost.deployment import Deployment
from evaluators.serving.engine.recorder import Recorder
from evaluators.serving.engine.serve import serve_on
from evaluators.serving.engine.vllm import VllmV1
from evaluators.serving.request import Request


def throughput(requests: Sequence[Request], on: Deployment, cached: bool) -> float:
    """Requests a second that vLLM's scheduler with its default budget gets through if all are there at once.

    Until the last is answered: of a short queue the end, when few are left, is a part.
    """
    queue = [replace(request, arrival=0.0) for request in requests]
    recorder = Recorder()
    serve_on(on, queue, VllmV1(max_batch_tokens=2048), recorder, cached)
    return len(queue) / recorder.busy


def at_load(requests: Sequence[Request], rate: float) -> list[Request]:
    """The same requests at `rate` a second: their times are stretched, so bursts stay as many requests.

    The last must arrive later than at 0 s.
    """
    stretch = len(requests) / requests[-1].arrival / rate
    return [replace(request, arrival=request.arrival * stretch) for request in requests]
