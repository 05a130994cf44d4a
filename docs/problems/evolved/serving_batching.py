"""SLO-driven batching: a learned iteration-time model sizes the step, Moore-Hodgson chooses the prompts."""

import heapq
import math
from bisect import bisect_right, insort
from collections import deque

import numpy as np

from interface import FREES, GENERATED, ID, LAST_TOKEN, PREDICTED, PROMPT, TBT_SLO, Step

SAFETY = 0.978
SOFT = 0.55


class State:
    def __init__(self):
        self.last_now = -1.0
        self.tbt_min = math.inf
        self.known = set()
        self.due = {}
        self.promised = {}
        self.seen = {}
        self.failed = set()
        self.lengths = []
        self.short = 0.05
        self.S = np.zeros((6, 6))
        self.v = np.zeros(6)
        self.dec_S = np.zeros((6, 6))
        self.dec_v = np.zeros(6)
        self.dec = None
        self.pair_S = np.zeros((6, 6))
        self.pair_v = np.zeros(6)
        self.theta = None
        self.ratios = deque(maxlen=60)
        self.q = 1.04
        self.top = 1.02
        self.count = 0
        self.prev = None
        self.dirty = True

    def solve(self):
        u = self.tbt_min / 5.0
        mean = np.array([0.15 * u, 4.5 * u, 0.11 * u, 0.35 * u, 0.02 * u, 0.5 * u])
        std = np.array([0.15 * u, 4.0 * u, 0.15 * u, 0.25 * u, 0.05 * u, 0.3 * u])
        prec = 1.0 / (std * std)
        known = np.array([1.0, 0.0, 0.0, 1.31072, 0.32, 1.0])
        w = 1.0 / (0.02 * u) ** 2
        M = np.diag(prec) + self.S + self.pair_S + self.dec_S + w * np.outer(known, known)
        r = prec * mean + self.v + self.pair_v + self.dec_v + w * u * known
        try:
            t = np.linalg.solve(M, r)
        except Exception:
            t = mean
        low = np.array([0.01 * u, 0.05 * u, 0.0, 0.02 * u, 0.0, 0.05 * u])
        t = np.where(np.isfinite(t), np.maximum(t, low), mean)
        self.theta = (float(t[0]), float(t[1]) * 1e-3, float(t[2]) * 1e-6, float(t[3]) * 1e-5, float(t[4]) * 1e-2, float(t[5]))
        self.dirty = False


STATE = State()


def whole(request, engine):
    """Blocks that the rest of its prompt takes."""
    return -(-request.tokens // engine.block_size) - request.blocks


def observe(s, now, ids, gens, lasts):
    """Learn from the iterations before, if their end is known."""
    dec = s.dec
    s.dec = None
    if dec is not None:
        start, count, kv, before = dec
        for i, rid in enumerate(ids):
            k = gens[i] - before.get(rid, gens[i])
            if k > 0:
                y = (lasts[i] - start) / k
                if y > 0 and k < 400:
                    x = np.array([1.0, 0.0, 0.0, (kv + 0.5 * count * k) * 1e-5, count * 1e-2, 1.0])
                    w = 1.0 / (0.03 * y) ** 2
                    s.dec_S = s.dec_S * 0.97 + w * np.outer(x, x)
                    s.dec_v = s.dec_v * 0.97 + w * y * x
                    s.dirty = True
                break
    prev = s.prev
    s.prev = None
    if prev is None:
        return
    start, x, pred, before, finishing, forced = prev
    end = None
    for i, rid in enumerate(ids):
        g = before.get(rid)
        if g is not None and gens[i] == g + 1:
            end = lasts[i]
            break
        if rid in finishing and gens[i] == finishing[rid] + 1:
            end = lasts[i]
            break
    if end is None and forced:
        end = now
    if end is None or end <= start:
        return
    y = end - start
    if s.theta is not None:
        linear = x[1] * 1e3 * s.theta[1]
        if linear < 0.85 * s.theta[5]:
            # Below the roofline's knee: reading the weights takes the time, whatever the number of tokens.
            x = x.copy()
            x[1] = 0.0
            x[5] = 1.0
            w = 1.0 / (0.03 * y) ** 2
            s.dec_S = s.dec_S * 0.97 + w * np.outer(x, x)
            s.dec_v = s.dec_v * 0.97 + w * y * x
            s.dirty = True
            return
        if linear < 1.2 * s.theta[5]:
            return
    if x[1] * 1e3 < 100:
        return
    ratio = y / max(pred, 1e-9)
    if ratio > 4 or ratio < 0.2:
        s.ratios.append(min(max(ratio, 0.5), 1.6))
    else:
        s.ratios.append(ratio)
    w = 1.0 / (0.02 * y) ** 2
    s.S *= 0.99
    s.v *= 0.99
    s.S += w * np.outer(x, x)
    s.v += w * y * x
    s.dirty = True
    # One overrun fails all who decode: the margin is the largest recent error, slowly forgotten.
    got = s.ratios[-1]
    s.top = max(got, s.top - 0.01 * max(s.top - 1.0, 0.0), 0.97)
    if s.count == 10:
        s.top = max(sorted(s.ratios)[-2], 1.0)
    s.count += 1
    s.q = min(s.top, 1.35) + (0.02 if s.count < 12 else 0.002)
    return


def expected_left(s, gen, pred):
    if pred > 0:
        return max(pred - gen, 0.25 * pred, 8.0)
    n = len(s.lengths)
    if n >= 8:
        i = bisect_right(s.lengths, gen)
        tail = n - i
        if tail >= 4:
            return sum(s.lengths[i:]) / tail - gen + 1
        return max(48.0, 0.5 * gen)
    return max(200.0 - gen, 64.0)


def growth(items, block):
    """Blocks by which the KV grows at most, beyond now, if all answers have the expected lengths."""
    items = sorted(items)
    n = len(items)
    peak = 0.0
    gone = 0.0
    for i, (left, cur) in enumerate(items):
        peak = max(peak, left * (n - i) - gone)
        gone += cur + left
    return peak / block


def schedule(now, waiting, prefilling, decoding, engine):
    global STATE
    s = STATE
    if now < s.last_now - 1e-9:
        STATE = s = State()
    s.last_now = now
    bs = engine.block_size
    n = len(decoding)
    if n:
        ids = decoding[:, ID].astype(np.int64).tolist()
        gens = decoding[:, GENERATED].astype(np.int64).tolist()
        prompts = decoding[:, PROMPT].astype(np.int64).tolist()
        lasts = decoding[:, LAST_TOKEN].tolist()
        tbts = decoding[:, TBT_SLO].tolist()
        preds = decoding[:, PREDICTED].tolist()
        frees = decoding[:, FREES].astype(np.int64).tolist()
        s.tbt_min = min(s.tbt_min, min(tbts))
    else:
        ids, gens, prompts, lasts, tbts, preds, frees = [], [], [], [], [], [], []

    # What is known of the requests.
    for r in waiting:
        if r.id not in s.known:
            s.known.add(r.id)
            s.due[r.id] = r.arrived + r.ttft_slo
            s.tbt_min = min(s.tbt_min, r.tbt_slo)
            s.short += 0.02 * ((1.0 if r.ttft_slo < 1.7 * s.tbt_min else 0.0) - s.short)
            if r.generated == 0 and r.ttft_slo > 1.01 * r.tbt_slo and r.tokens > 0:
                y = r.ttft_slo / 6.0
                x = np.array([max(1, -(-r.tokens // engine.max_tokens)), r.tokens * 1e-3, r.tokens * r.tokens * 1e-6, 0.0, 0.01, 0.0])
                w = 1.0 / (0.03 * y) ** 2
                s.pair_S = s.pair_S * 0.98 + w * np.outer(x, x)
                s.pair_v = s.pair_v * 0.98 + w * y * x
                s.dirty = True
    observe(s, now, ids, gens, lasts)
    if s.dirty or s.theta is None:
        s.solve()
    h, b, a, d, each, floor = s.theta
    q = s.q
    u = s.tbt_min / 5.0

    seen = {}
    failed = s.failed
    for i in range(n):
        rid = ids[i]
        old = s.seen.get(rid)
        g = gens[i]
        last = lasts[i]
        if old is None:
            due = s.due.get(rid, math.inf)
            first = last if g <= 1 else s.promised.get(rid, now)
            if first > due + 1e-9 and rid in s.due:
                failed.add(rid)
        elif g == old[0] + 1 and last - old[1] > tbts[i] + 1e-9:
            failed.add(rid)
        if now - last > tbts[i]:
            failed.add(rid)
        seen[rid] = (g, last)
    for group in (waiting, prefilling):
        for r in group:
            if r.generated > 0 or r.id in s.seen:
                seen[r.id] = s.seen.get(r.id, (r.generated, r.last_token))
    for rid, old in s.seen.items():
        if rid not in seen:
            insort(s.lengths, old[0])
    s.seen = seen

    live = [rid not in failed for rid in ids]
    ctx = [prompts[i] + gens[i] - 1 for i in range(n)]

    # Prompts: those that can still be in time, and the others.
    def work(r):
        left = r.tokens - r.computed
        return b * left + a * (r.tokens * r.tokens - r.computed * r.computed)

    viable, late = [], []
    resumable_live, resumable_late = [], []
    for group, runs in ((prefilling, True), (waiting, False)):
        for r in group:
            due = s.due.get(r.id, r.arrived + r.ttft_slo)
            if r.generated > 0:
                due = r.last_token + r.tbt_slo
                if r.id in failed or now > due:
                    failed.add(r.id)
                    due = -1.0
            if r.swapped:
                (resumable_live if due > now else resumable_late).append(r)
                continue
            w = work(r)
            if now + q * (w + 0.3 * h) <= due:
                viable.append((due, r.id, w, r, runs))
            else:
                late.append((w, r.id, due, r, runs))

    live_n = sum(live)
    live_c = sum(c for c, ok in zip(ctx, live) if ok)
    base = h + (b + each) * live_n + d * live_c
    cap = s.tbt_min
    viable.sort(key=lambda e: (e[0], e[1]))

    def select(length, margin=1.0):
        """Moore-Hodgson: by deadline, and the largest is dropped when one would be late."""
        rho = min(max((length - base) / length, 0.15), 1.0)
        t = now + 0.5 * h
        heap = []
        out = set()
        for e in viable:
            cost = margin * q * e[2] / rho
            t += cost
            heapq.heappush(heap, (-cost, e[1]))
            while t > e[0] and heap:
                c, rid = heapq.heappop(heap)
                t += c
                out.add(rid)
        return rho, out

    # Long steps waste less, but a short prompt that arrives meanwhile may be late: long only where that saves somebody.
    mid = max(SOFT * cap, cap - 1.25 * base - 0.06 * cap)
    mid = min(mid, 0.7 * cap)
    brief = False
    if s.short >= 0.02 and viable:
        # As short as the backlog permits, with a wide margin: the next short prompt comes sooner to its turn.
        backlog = q * sum(e[2] for e in viable)
        for part in (0.36, 0.5):
            if part * cap < max(2.0 * base, 5.0 * h) or part * cap >= mid:
                continue
            rho, dropped = select(part * cap, 1.3)
            if not dropped and backlog / rho < 3.0 * cap:
                brief = True
                length = part * cap
                break
    if not brief:
        rho, dropped = select(mid)
        length = mid
    if dropped:
        rho2, dropped2 = select(cap)
        if len(dropped2) < len(dropped) or s.short < 0.02:
            rho, dropped, length = rho2, dropped2, cap
    chosen = [e for e in viable if e[1] not in dropped]
    others = sorted((e for e in viable if e[1] in dropped), key=lambda e: e[2])
    chosen_work = sum(e[2] for e in chosen) / rho
    pressure = bool(dropped) or chosen_work > 1.2 * cap
    if s.short < 0.02 or (pressure and not brief and s.short < 0.1 + h / cap):
        length = cap

    # Who does not decode now.
    used = engine.blocks - engine.free
    running = n + len(prefilling)
    held = [False] * n
    # Who has failed waits as long as others can be in time and there is room.
    frozen_ok = used < 0.6 * engine.blocks and engine.waiting < 40 and running < 0.5 * engine.max_requests
    if live_n and not chosen and frozen_ok and n - live_n > 0.2 * n:
        held = [not ok for ok in live]
    if chosen:
        roomy = used < 0.7 * engine.blocks and running < 0.6 * engine.max_requests
        for i in range(n):
            if not live[i]:
                held[i] = True
            elif pressure and roomy and lasts[i] + tbts[i] - now > 2.6 * cap:
                held[i] = True
    needs = [1 if ctx[i] % bs == 0 else 0 for i in range(n)]

    step = Step()
    avail = engine.free
    need = sum(needs[i] for i in range(n) if not held[i])
    preempted = set()
    if need > avail:
        for i in range(n - 1, -1, -1):
            if need <= avail:
                break
            if not live[i] and not held[i] and needs[i]:
                held[i] = True
                need -= 1
    if need > avail:
        soft = [e[3] for e in late if e[4]] + [e[3] for e in others if e[4]]
        if sum(r.frees for r in soft) + avail >= need:
            for r in soft:
                if avail >= need:
                    break
                if r.frees > 0:
                    preempted.add(r.id)
                    avail += r.frees
        else:
            order = sorted(range(n), key=lambda i: (live[i], -(lasts[i] + tbts[i] > now + 10 * cap), -frees[i], ids[i]))
            for i in order:
                if avail >= need or len(preempted) >= n - 1:
                    break
                preempted.add(ids[i])
                avail += frees[i]
                if not held[i]:
                    need -= needs[i]
                held[i] = False
            step.swap = True
    avail -= need

    active = [i for i in range(n) if not held[i] and ids[i] not in preempted]
    act_n = len(active)
    act_c = sum(ctx[i] for i in active)
    base = h + (b + each) * act_n + d * act_c

    slack = cap
    for i in active:
        if live[i]:
            left = lasts[i] + tbts[i] - now
            if left >= base:
                slack = min(slack, left)
    full = slack * SAFETY / q
    limit = min(full, length)
    limit = max(limit, min(full, base + 0.2 * cap))

    tokens_left = engine.max_tokens - act_n
    seats = engine.max_requests - n - len(prefilling)
    spent = base
    pairs = 0.0
    chunk_tokens = 0
    finishing = {}
    ends = math.inf
    partial = False

    def chunk_for(r, room):
        B = b + 2 * a * r.computed
        if room <= 0:
            return 0
        if a * room < 1e-6 * B * B:
            c = room / B
        else:
            c = (-B + math.sqrt(B * B + 4 * a * room)) / (2 * a)
        return int(min(c, r.tokens - r.computed, tokens_left))

    def put(r, c, due):
        nonlocal spent, pairs, chunk_tokens, tokens_left, avail, partial, ends
        step.prefill.append((r.id, c))
        att = (r.computed + c) ** 2 - r.computed ** 2
        pairs += att
        spent += b * c + a * att + each
        chunk_tokens += c
        tokens_left -= c
        avail -= max(-(-(r.computed + c) // bs) - r.blocks, 0)
        if r.computed + c >= r.tokens:
            finishing[r.id] = r.generated
            if due > now:
                ends = min(ends, (due - now) / q)
        else:
            partial = True

    reserve = sum(whole(e[3], engine) for e in chosen if e[4])
    tight = engine.free < 0.5 * engine.blocks
    items = []
    if tight:
        items = [(expected_left(s, gens[i], preds[i]), ctx[i]) for i in range(n) if ids[i] not in preempted]
        items += [(expected_left(s, e[3].generated, e[3].predicted), e[3].tokens) for e in chosen if e[4]]
    total_running = n + len(prefilling)

    # Those that were swapped out and can still be in time run on first.
    resumed_n = 0
    if not preempted:
        for r in sorted(resumable_live, key=lambda r: r.last_token + r.tbt_slo):
            k = -(-r.computed // bs) + 1
            if k + 2 <= avail - reserve and seats > 0:
                step.resume.append(r.id)
                avail -= k
                seats -= 1
                resumed_n += 1
                tokens_left -= 1
                base_more = b + d * r.computed
                spent += base_more

    starved = 0
    starved_seat = False
    for due, rid, w, r, runs in chosen:
        if rid in preempted:
            continue
        if tokens_left <= 0:
            break
        room = min(limit, ends) - spent
        c = chunk_for(r, room)
        if c <= 0 or (c < 16 and c < r.tokens - r.computed and step.prefill):
            break
        if runs:
            c = min(c, (r.blocks + avail) * bs - r.computed)
            if c <= 0:
                continue
            reserve -= whole(r, engine)
            put(r, c, due)
            reserve += max(whole(r, engine) - max(-(-(r.computed + c) // bs) - r.blocks, 0), 0)
        else:
            if preempted:
                continue
            if seats <= 0:
                starved_seat = True
                continue
            k = whole(r, engine)
            grow = 0.0
            if tight or avail - reserve - k < 0.4 * engine.blocks:
                if not tight:
                    tight = True
                    items = [(expected_left(s, gens[i], preds[i]), ctx[i]) for i in range(n)]
                    items += [(expected_left(s, e[3].generated, e[3].predicted), e[3].tokens) for e in chosen if e[4]]
                extra = (expected_left(s, r.generated, r.predicted), r.tokens)
                grow = 0.65 * growth(items + [extra], bs)
            if k + grow > avail - reserve and (total_running > 0 or k > avail):
                if not starved:
                    starved = int(k + grow - (avail - reserve)) + 1
                continue
            put(r, c, due)
            reserve += max(k - max(-(-(r.computed + c) // bs) - r.blocks, 0), 0)
            seats -= 1
            total_running += 1
            items.append((expected_left(s, r.generated, r.predicted), r.tokens))

    # Make room for those that can be in time: those that cannot give theirs back.
    if (starved or starved_seat) and not preempted and not step.resume:
        have = 0
        got = 0
        victims = []
        for i in sorted((i for i in range(n) if held[i] and not live[i]), key=lambda i: -frees[i]):
            if have >= max(starved, 1):
                break
            victims.append(i)
            have += frees[i]
        newly = {rid for rid, _ in step.prefill}
        fresh = {r.id for r in waiting}
        if victims and not (newly & fresh) and (step.prefill or act_n):
            for i in victims:
                preempted.add(ids[i])
                held[i] = False
            step.swap = True
        elif not victims:
            soft = [e for e in late if e[4] and e[3].frees > 0 and e[1] not in newly]
            if soft and not (newly & fresh) and (step.prefill or act_n):
                for e in sorted(soft, key=lambda e: -e[3].frees):
                    if got >= max(starved, 1):
                        break
                    preempted.add(e[1])
                    got += e[3].frees

    # What is left of the iteration goes to those that will be late.
    if not preempted:
        lim = min(full, max(SOFT * cap, 0.0), ends)
        inside = {rid for rid, _ in step.prefill}
        queue = [(e[3], e[0]) for e in others]
        queue += [(e[3], -1.0) for e in sorted(late, key=lambda e: (not e[4], e[0] if e[4] else e[3].arrived))]
        started = {r.id for r in prefilling}
        tries = 0
        for r, due in queue:
            if r.id in inside or tokens_left <= 0 or tries > 24:
                continue
            room = lim - spent
            if due < now and (live_n or chosen) and frozen_ok:
                # Late already: only what the reading of the weights gives away.
                room = min(room, 0.95 * floor - b * (act_n + chunk_tokens))
            c = chunk_for(r, room)
            if c <= 0 or (c < 32 and c < r.tokens - r.computed):
                break
            tries += 1
            k = whole(r, engine)
            if r.id in started:
                if k > avail - reserve:
                    continue
            else:
                spare = 0.12 * engine.blocks if total_running else 0
                if tight and total_running:
                    extra = (expected_left(s, r.generated, r.predicted), r.tokens)
                    spare = max(spare, growth(items + [extra], bs))
                if seats <= max(0, 0.1 * engine.max_requests if total_running else 0) or k + spare > avail - reserve:
                    continue
                seats -= 1
                total_running += 1
            put(r, c, due)
            reserve += max(k - max(-(-(r.computed + c) // bs) - r.blocks, 0), 0)
            items.append((expected_left(s, r.generated, r.predicted), r.tokens))
            inside.add(r.id)
        if not chosen and resumable_late:
            for r in resumable_late:
                k = -(-r.computed // bs) + 1
                spare = 0.08 * engine.blocks if (total_running or step.resume) else 0
                if seats <= 0 or k + spare > avail - reserve or tokens_left <= 0:
                    break
                step.resume.append(r.id)
                avail -= k
                seats -= 1
                tokens_left -= 1
                total_running += 1
                if len(step.resume) >= 2:
                    break
        # Only the earliest 64 are shown: those that will be late make place in the queue with a token each.
        if engine.waiting > 44:
            parked = 0
            for w, rid, due, r, runs in late:
                if runs or rid in inside:
                    continue
                k = max(-(-(r.computed + 1) // bs) - r.blocks, 0)
                if parked >= 24 or tokens_left <= 0 or seats <= 0.3 * engine.max_requests:
                    break
                if r.tokens - r.computed < 2 or k > avail - reserve - 0.2 * engine.blocks:
                    continue
                put(r, 1, -1.0)
                inside.add(rid)
                seats -= 1
                parked += 1

    step.preempt = list(preempted)
    chunked = {rid for rid, _ in step.prefill}

    # Something must be computed.
    if not step.prefill and not step.resume:
        remaining = [i for i in range(n) if ids[i] not in preempted]
        if remaining:
            if all(held[i] for i in remaining):
                for i in sorted(remaining, key=lambda i: needs[i]):
                    if needs[i] <= avail:
                        held[i] = False
                        avail -= needs[i]
        if not any(not held[i] for i in remaining):
            if remaining and not preempted:
                # No blocks even for one: the largest other one gives its own back.
                if len(remaining) > 1:
                    order = sorted(remaining, key=lambda i: frees[i])
                    step.preempt = [ids[order[-1]]]
                    step.swap = True
                    held[order[0]] = False
                    held[order[-1]] = False
                elif prefilling:
                    step.preempt = [r.id for r in prefilling]
                    step.swap = False
                    held[remaining[0]] = False
            elif not remaining:
                force(step, waiting, prefilling, engine, preempted)
                finishing = {}

    gone = set(step.preempt)
    step.hold = [ids[i] for i in range(n) if held[i] and ids[i] not in gone]

    # Remember, to learn from it.
    for rid in finishing:
        s.promised[rid] = now + spent * q
    if step.prefill and not step.resume and not step.preempt:
        forced = bool(step.hold) or partial or engine.waiting > len([1 for r in waiting if r.id in chunked])
        forced = forced or any(r.id not in chunked for r in prefilling)
        x = np.array([1.0, (act_n + chunk_tokens) * 1e-3, pairs * 1e-6, act_c * 1e-5, (act_n + len(step.prefill)) * 1e-2, 0.0])
        before = {ids[i]: gens[i] for i in active}
        s.prev = (now, x, spent, before, finishing, forced)
    elif not step.prefill and not step.resume and not step.preempt and act_n and not step.hold:
        s.dec = (now, act_n, act_c, {ids[i]: gens[i] for i in active})
    return step


def force(step, waiting, prefilling, engine, preempted):
    """Nothing decodes and nothing was chosen: the first that can goes on."""
    step.preempt = []
    step.swap = False
    if prefilling:
        first = min(prefilling, key=lambda r: (r.tokens - r.computed, r.id))
        free = engine.free
        for r in sorted(prefilling, key=lambda r: -r.frees):
            if free >= whole(first, engine):
                break
            if r.id != first.id and r.frees > 0:
                step.preempt.append(r.id)
                free += r.frees
        c = min(first.tokens - first.computed, engine.max_tokens, (first.blocks + free) * engine.block_size - first.computed)
        if c > 0:
            step.prefill.append((first.id, c))
        return
    for r in waiting:
        if r.swapped:
            if -(-r.computed // engine.block_size) + 1 <= engine.free:
                step.resume.append(r.id)
                return
        elif whole(r, engine) <= engine.free:
            step.prefill.append((r.id, min(r.tokens - r.computed, engine.max_tokens)))
            return
