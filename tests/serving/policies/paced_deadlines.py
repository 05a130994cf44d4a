"""Evidence of head-room, by hand: chunks as long as the tightest SLO allows, deadlines first, the hopeless last."""

from interface import FREES, ID, LAST_TOKEN, TBT_SLO, Step

SHARE = 0.85  # of the time until the next token is due, for the iteration
MOST = 256
pace = {"per_token": None, "then": 0.0, "tokens": 0}


def schedule(now, waiting, prefilling, decoding, engine):
    learn(now)
    step = Step()
    free = engine.free - engine.needed
    running = list(prefilling)
    last = len(decoding) - 1
    while free < 0 and last >= (0 if running else 1):
        step.preempt.append(int(decoding[last, ID]))
        free += int(decoding[last, FREES])
        last -= 1
    budget = tokens_in_time(now, decoding, engine, prefilling + waiting)
    seats = min(MOST, engine.max_requests) - len(decoding) - len(prefilling)
    for request in sorted(running + waiting, key=lambda request: urgency(request, now)):
        waits = request not in running
        tokens = min(request.tokens - request.computed, budget)
        whole = -(-request.tokens // engine.block_size) - request.blocks
        if tokens <= 0 or (waits and (seats <= 0 or step.preempt)):
            continue
        if (whole if waits else taken(request, tokens, engine)) > free:
            continue
        step.prefill.append((request.id, tokens))
        budget -= tokens
        free -= taken(request, tokens, engine) if not waits else whole
        seats -= waits
    if not step.prefill and not len(decoding) and running:
        victim = running[-1]
        step.preempt.append(victim.id)
    pace["then"], pace["tokens"] = now, sum(tokens for _, tokens in step.prefill) + len(decoding)
    pace["pure"] = not step.prefill
    return step


def learn(now):
    if pace["tokens"] > 255 and not pace["pure"]:
        measured = (now - pace["then"]) / pace["tokens"]
        pace["per_token"] = measured if pace["per_token"] is None else 0.7 * pace["per_token"] + 0.3 * measured


def tokens_in_time(now, decoding, engine, prompts):
    if pace["per_token"] is None:
        return 512
    if len(decoding):
        due = (decoding[:, LAST_TOKEN] + decoding[:, TBT_SLO]).min() - now
    else:
        due = min((r.tbt_slo for r in prompts), default=1.0)
    return min(max(int(SHARE * due / pace["per_token"]), 64), engine.max_tokens) - len(decoding)


def urgency(request, now):
    if request.generated:
        return (0, request.arrived)
    need = (request.tokens - request.computed) * (pace["per_token"] or 0.0)
    slack = request.arrived + request.ttft_slo - now - need
    return (1 if slack < 0 else 0, slack if slack >= 0 else need)


def taken(request, tokens, engine):
    return -(-(request.computed + tokens) // engine.block_size) - request.blocks
