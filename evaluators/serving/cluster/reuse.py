"""Which tokens of a prompt other requests of a stream have too: what a prefix cache could spare it at best."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate

from evaluators.serving.request import Request

NEVER = float("inf")


class Reuse:
    """Of requests in order of arrival."""

    def __init__(self, requests: Sequence[Request], block_size: int) -> None:
        uses: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for place, request in enumerate(requests):
            for key, tokens in request.prefix:
                answer = request.output_tokens if key == request.prefix[-1].key else 0
                uses[key].append((place, tokens + answer))
        self._streams = {key: _Stream(of) for key, of in uses.items()}
        self._requests, self._block_size = requests, block_size

    def of_prompt(self, place: int) -> tuple[int, int, float]:
        """What may be cached of the prompt of the request at this place.

        Returns:
            Tokens that requests before it may have left; tokens that any other may have; and seconds until one after
            it arrives that may leave more than those before (infinity if none does).
        """
        request = self._requests[place]
        streams = [(self._streams[key], tokens) for key, tokens in request.prefix]
        cached = self._whole(request, [(tokens, stream.before(place)) for stream, tokens in streams])
        shared = self._whole(request, [(tokens, stream.others(place)) for stream, tokens in streams])
        later = [
            self._requests[stream.next_after(place)].arrival - request.arrival
            for stream, tokens in streams
            if stream.before(place) < min(tokens, stream.others(place))
        ]
        return cached, shared, min(later, default=NEVER)

    def _whole(self, request: Request, streams: Sequence[tuple[int, int]]) -> int:
        """Tokens in whole blocks, but for the last of the prompt, up to the first stream that is not had entirely."""
        common = 0
        for tokens, had in streams:
            common += min(tokens, had)
            if had < tokens:
                break
        return min(common, request.prompt_tokens - 1) // self._block_size * self._block_size


class _Stream:
    """Who has how many tokens of a stream: (place, tokens) in order of the places."""

    def __init__(self, uses: Sequence[tuple[int, int]]) -> None:
        self._places = [place for place, _ in uses]
        self._most = [0, *accumulate((tokens for _, tokens in uses), max)]
        self._longest = sorted(((tokens, place) for place, tokens in uses), reverse=True)[:2]

    def before(self, place: int) -> int:
        """Tokens that some request before it has."""
        return self._most[bisect_left(self._places, place)]

    def others(self, place: int) -> int:
        """Tokens that some other request has."""
        return next((tokens for tokens, whose in self._longest if whose != place), 0)

    def next_after(self, place: int) -> int:
        """The next place, which there must be."""
        return self._places[bisect_left(self._places, place + 1)]
