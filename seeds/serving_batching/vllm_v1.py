"""The scheduler of vLLM V1: chunked prefill, first come, first served, no phases.

vLLM 0.19, `vllm/v1/core/sched/scheduler.py`: running requests come first, in order of admission, each with its next
token or the next chunk of its prompt; where blocks are short, the one admitted last is preempted and recomputed later.
What is left of the token budget then admits waiting requests in order, unless somebody was preempted, and as long as
the whole prompt has room (`scheduler_reserve_full_isl`; older versions asked for the first chunk only).

BUDGET is `max_num_batched_tokens`, chosen on the train workloads by `benchmarks/serving_batching_tuning.py`; the rest
are the defaults.
"""

from interface import FREES, GENERATED, ID, PROMPT, Step

BUDGET = 1024
MOST = 256  # max_num_seqs


def schedule(now, waiting, prefilling, decoding, engine):
    step = Step()
    plan = Plan(step, engine.free, min(BUDGET, engine.max_tokens), engine.block_size)
    running = list(prefilling)  # admitted after all that decode
    if engine.needed <= plan.free and len(decoding) <= plan.budget:
        plan.free -= engine.needed
        plan.budget -= len(decoding)
    else:
        plan.decode_in_turn(decoding, running)
    while running and plan.budget:
        request = running[0]
        tokens = min(request.tokens - request.computed, plan.budget)
        if plan.fits(request, tokens):
            plan.take(running.pop(0), tokens)
        else:
            plan.preempt(running.pop())
    if step.preempt:
        step.iterations = 1  # who waits may be admitted in the next
    else:
        admit(plan, waiting, min(MOST, engine.max_requests) - len(decoding) - len(prefilling))
    return step


def admit(plan, waiting, seats):
    """Waiting requests in order, until one does not fit whole."""
    for request in waiting[:seats]:
        left = request.tokens - request.computed
        if not plan.budget or not plan.fits(request, left):
            return
        plan.take(request, min(left, plan.budget))


class Plan:
    """A step in the making, with what is left of blocks and budget."""

    def __init__(self, step, free, budget, block_size):
        self.step, self.free, self.budget, self.block_size = step, free, budget, block_size

    def fits(self, request, tokens):
        return self.blocks(request, tokens) <= self.free

    def blocks(self, request, tokens):
        return -(-(request.computed + tokens) // self.block_size) - request.blocks

    def take(self, request, tokens):
        self.free -= self.blocks(request, tokens)
        self.budget -= tokens
        self.step.prefill.append((request.id, tokens))

    def preempt(self, request):
        self.free += request.frees
        self.step.preempt.append(request.id)

    def decode_in_turn(self, decoding, running):
        """The next token of each, in order; where a block is missing, the last of all running ones goes."""
        rows = decoding.tolist()
        served = 0
        while served < len(rows):
            row = rows[served]
            if not self.budget:
                self.step.hold.append(int(row[ID]))
            else:
                block = (row[PROMPT] + row[GENERATED] - 1) % self.block_size == 0
                while block > self.free and len(rows) > served:
                    if running:
                        self.preempt(running.pop())
                    else:
                        last = rows.pop()
                        self.free += int(last[FREES])
                        self.step.preempt.append(int(last[ID]))
                if len(rows) == served:
                    self.budget = 0  # it preempted itself: nothing more is scheduled
                    return
                self.free -= block
                self.budget -= 1
            served += 1
