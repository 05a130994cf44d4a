"""Steady prices for cache room; admission by response ratio; small turns fill the gaps that large ones leave."""

from bisect import insort
from collections import deque

from interface import Retention

KEEP = 160
BASE_S = 60.0  # age that every session starts with
PRICE = 0.6  # of the whole cache for a second, in seconds of computing, for a small conversation
STEEP = 8.0  # by which the price rises with the share of the cache
MOST = 1.5
COPY_PRICE = 0.8  # the same where the alternative is a copy to host memory
JUNIOR = 1.5  # factor while an older session waits for room
PATIENCE_S = 20.0  # a pinned turn that has waited longer is not passed

samples = {}  # tool: (deque in order of time, sorted list)
rates = {"compute": 8e-5, "copy": 4e-6, "turn": 3.0, "growth": 30.0, "age": 0.0, "known": 0}
sizes = {}  # session: blocks
queue = {"need": 0, "started": None, "head": None, "since": 0.0}


def learn(tool, gap):
    entry = samples.get(tool)
    if entry is None:
        entry = samples[tool] = (deque(), [])
    recent, ranked = entry
    recent.append(gap)
    insort(ranked, gap)
    if len(recent) > KEEP:
        ranked.remove(recent.popleft())


def measure(now, session):
    rates["known"] += 1
    weight = max(0.02, 1.0 / rates["known"])
    tokens = max(1, session.context_tokens)
    grown = max(1, session.kv_blocks - sizes.get(session.id, 0))
    if session.id not in sizes:
        grown = min(grown, rates["growth"])
    sizes[session.id] = session.kv_blocks
    for key, value in (
        ("compute", session.recompute_s / tokens),
        ("copy", session.swap_s / tokens),
        ("turn", session.served_s / max(1, session.turns)),
        ("growth", grown),
        ("age", now - session.started),
    ):
        rates[key] += weight * (value - rates[key])


def best_pin(gaps, gain, rate):
    """The pin with the greatest expected value."""
    count = len(gaps)
    best, best_value, before = 0.0, 0.0, 0.0
    for i, gap in enumerate(gaps):
        seconds = gap * 1.1 + 0.1
        before += gap
        value = gain * (i + 1) - rate * (before + (count - i - 1) * seconds)
        if value > best_value:
            best, best_value = seconds, value
    return best


def retain(now, session, engine):
    if session.tools:
        learn(session.tools[-1], session.gaps[-1])
    measure(now, session)
    share = max(1e-5, session.kv_blocks / max(1, engine.blocks))
    swap = engine.host_blocks >= session.kv_blocks and session.swap_s < session.recompute_s
    gain = session.recompute_s
    if swap:
        gain = min(gain, 2.0 * session.swap_s + 0.2)
    rate = (COPY_PRICE if swap else min(MOST, PRICE + STEEP * share)) * share
    if engine.waiting and queue["started"] is not None and queue["started"] < session.started:
        if queue["need"] > engine.blocks - engine.used - engine.pinned:
            rate *= JUNIOR
    then = "swap" if swap else "lru"
    entry = samples.get(session.tool)
    if entry is None or len(entry[1]) < 4:
        return Retention(min(10.0, gain / rate), then)
    return Retention(best_pin(entry[1], gain, rate), then)


def order(now, waiting, engine):
    total = max(1, engine.blocks)
    pinned, others = [], []
    for turn in waiting:
        ready = max(turn.cached_tokens, turn.host_tokens)
        work = (turn.prompt_tokens - ready) * rates["compute"]
        work += 0.5 * max(0, ready - turn.cached_tokens) * rates["copy"]
        space = turn.prompt_tokens / 16 / total
        cost = work + space * (work + rates["turn"]) + 0.04 * rates["turn"] + 0.1
        age = BASE_S + now - turn.started
        if turn.preempted:
            age *= 2.0
        (pinned if turn.pinned else others).append((-age / cost, turn.id, turn))
    pinned.sort(key=lambda entry: entry[:2])
    others.sort(key=lambda entry: entry[:2])

    room = engine.blocks - engine.used - engine.pinned
    first, later = [], []
    held = False
    for _, _, turn in pinned:
        need = max(0, turn.prompt_tokens - turn.cached_tokens) // 16 + 1
        if need <= room and not held:
            first.append(turn)
            room -= need
        else:
            later.append(turn)
            if now - turn.arrived > PATIENCE_S:
                held = True  # it is not passed by more

    # Where room is about to run out, a turn in progress that does not fit keeps new sessions out.
    spare = rates["growth"] * 0.5 * max(1, engine.running)
    rest = [turn for _, _, turn in others]
    if engine.running > 2 and room < spare:
        rest = [turn for turn in rest if turn.turn] + [turn for turn in rest if not turn.turn]

    # One that does not fit is passed by smaller ones that do: the smaller they are, the longer.
    ahead, behind, head = [], [], None
    left = room
    limit = min(15.0, max(3.0, 1.5 * rates["turn"]))
    for turn in rest:
        need = turn.prompt_tokens // 16 + 1
        if head is None:
            if need <= left:
                ahead.append(turn)
                left -= need
                continue
            head = turn
            if queue["head"] != turn.id:
                queue["head"], queue["since"] = turn.id, now
            large = turn.prompt_tokens // 16 + 1
            behind.append(turn)
            continue
        blocked = now - queue["since"]
        fits = need + spare <= left
        young = now - head.started < rates["age"]
        if fits and turn.turn and 2 * need <= large and blocked < limit:
            ahead.append(turn)
            left -= need
        elif fits and young and need <= 0.15 * large and need <= 0.06 * total and blocked < 4.0 * limit:
            ahead.append(turn)
            left -= need
        else:
            behind.append(turn)

    queue["started"], queue["need"] = None, 0
    if head is not None and head.turn:
        queue["started"] = head.started
        queue["need"] = head.prompt_tokens // 16 + 1
    return [turn.id for turn in first + later + ahead + behind]
