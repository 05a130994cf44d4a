"""The scheduler of an engine that asks a policy, across the wall."""

from __future__ import annotations

from adrs.evaluation.protocol import Policy
from evaluators.serving.batching import interface
from evaluators.serving.batching.view import View
from evaluators.serving.engine.instance import Instance
from evaluators.serving.engine.step import Chunk, Refused, Step


class Asking:
    """Asks the policy at each decision.

    Args:
        until: Seconds; whoever has not served all requests by then starves them.
    """

    def __init__(self, policy: Policy, until: float) -> None:
        self.decisions = 0
        self._policy = policy
        self._until = until
        self._view: View | None = None

    def schedule(self, now: float, instance: Instance) -> Step:
        """See `Scheduler`.

        Raises:
            Refused: requests starve, or the answer makes no sense to any engine.
        """
        if now > self._until:
            raise Refused(self._starving(now, instance))
        if self._view is None:
            self._view = View(instance)
        view = self._view
        self.decisions += 1
        answer: interface.Step = self._policy.call(
            "schedule", now, view.waiting(), view.prefilling(), view.decoding(), view.engine()
        )
        if answer.iterations < 0:
            raise Refused(f"iterations is {answer.iterations}; it must be 0 or more")
        for identity in (*answer.hold, *answer.preempt):
            view.stops_decoding(identity)
        for identity, _ in answer.prefill:
            view.leaves_queue(identity)
        for identity in answer.resume:
            view.leaves_queue(identity)
        return Step(
            [Chunk(identity, tokens) for identity, tokens in answer.prefill],
            answer.decode,
            answer.hold,
            answer.preempt,
            answer.swap,
            answer.resume,
            answer.iterations,
        )

    def _starving(self, now: float, instance: Instance) -> str:
        left = len(instance.waiting) + len(instance.running)
        return (
            f"{left} requests are not served after {now:.0f} s; one after the other, all would have been "
            f"after {self._until:.0f} s: they starve"
        )
