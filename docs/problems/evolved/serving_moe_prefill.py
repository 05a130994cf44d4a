"""Learned iteration times; convoys of whole prompts through slices of layers; Moore-Hodgson chooses who is served."""

import math
import heapq
from collections import deque
import numpy as np

# Milliseconds: constant, requests and chunks, experts read at two sparsities, tokens of a layer and what they add
# beyond knots, attention, context of the decoding requests.
PRIOR = np.array([2.0, 0.05, 12.0, 6.0, 0.007, 0.002, 0.003, 0.003, 0.0005, 3e-7, 3e-5])
SPREAD = np.array([0.5, 0.5, 1.0, 1.0, 1.2, 1.5, 1.5, 1.5, 3.0, 1.5, 1.5])
KNOTS = (256, 512, 1024, 3072)
LOG16 = math.log(1 - 1 / 16)
LOG4 = math.log(1 - 1 / 4)


class Model:
    def __init__(self):
        self.w = PRIOR.copy()
        self.P = np.diag((PRIOR * SPREAD) ** 2) + 1.5 ** 2 * np.outer(PRIOR, PRIOR)
        self.P[0, 1:] *= 0.3
        self.P[1:, 0] *= 0.3
        self.q = 0.04  # a share that iterations may take longer than the mean
        self.bias = 0.0
        self.err = 0.015
        self.past = deque(maxlen=160)  # how much longer than expected the last iterations took
        self.n = 0

    def predict(self, x):
        """Mean and deviation, in seconds."""
        mean = float(x @ self.w)
        return max(mean, 1.0) * 1e-3, math.sqrt(max(float(x @ (self.P @ x)), 0.0)) * 1e-3

    def tight(self):
        """The share of tbt_slo that iterations may take by the careful estimate: the more is known, the more."""
        known = 1 - math.exp(-max(0, self.n - 40) / 80.0)
        return 0.972 + known * (0.022 - min(0.015, max(0.0, 1.5 * (self.err - 0.003))))

    def safe(self, x):
        mean, dev = self.predict(x)
        return mean * (1 + self.q + max(0.0, self.bias)) + (0.9 + 1.5 * math.exp(-self.n / 15.0)) * min(dev, mean)

    def learn(self, x, seconds):
        y = seconds * 1e3
        mean = max(1.0, float(x @ self.w))
        if self.n > 20:
            y = min(max(y, 0.8 * mean), 1.25 * mean)
        if self.n >= 6:
            rel = y / mean - 1
            over = rel - max(0.0, self.bias)
            self.past.append(over)
            floor = 0.003 + 0.03 * math.exp(-self.n / 40.0)
            self.q = min(0.15, max(floor, 1.15 * max(self.past) + 0.002))
            self.bias += 0.15 * (max(-0.04, min(0.04, rel)) - self.bias)
            self.err += 0.03 * (min(0.05, abs(rel)) - self.err)
        noise = (min(0.02, max(0.006, 1.3 * self.err)) * y) ** 2 + 0.03
        Px = self.P @ x
        gain = Px / (float(x @ Px) + noise)
        self.w = self.w + gain * (y - mean)
        self.P = self.P - np.outer(gain, Px)
        self.P = 0.5 * (self.P + self.P.T)
        self.P[np.diag_indices(len(PRIOR))] += (0.004 * PRIOR) ** 2
        self.n += 1


def features(D, context, groups, count, attn, L):
    """groups: (first layer, last layer + 1, tokens)."""
    points = sorted({0, L}.union(*[(f, t) for f, t, _ in groups])) if groups else (0, L)
    x = [1.0, D + count] + [0.0] * 9
    for i in range(len(points) - 1):
        w, n = (points[i + 1] - points[i]) / L, D
        for f, t, c in groups:
            if f <= points[i] < t:
                n += c
        if n > 0:
            x[2] += w * (1 - math.exp(n * LOG16))
            x[3] += w * (1 - math.exp(n * LOG4))
            x[4] += w * n
            for j in range(4):
                if n <= KNOTS[j]:
                    break
                x[5 + j] += w * (n - KNOTS[j])
    x[9], x[10] = attn, context
    return np.array(x)


class State:
    def __init__(self):
        self.model = Model()
        self.last = None  # (now, features, decoding)
        self.good = False  # may some decoding request still be within its SLOs?
        self.fresh = False
        self.goodn = 0  # at most so many of them
        self.freshn = 0
        self.finished = set()
        self.blocks = 0
        self.calls = 0


S = State()


def schedule(now, waiting, prefilling, engine):
    observe(now, engine)
    by = {p.id: p for p in list(prefilling) + list(waiting)}
    try:
        chunks = plan(now, waiting, prefilling, engine)
        ok = check(chunks, by, engine)
    except Exception:
        ok = False
    if not ok:
        chunks = simple(by, engine)
    note(now, chunks, by, engine)
    return chunks


def observe(now, engine):
    S.calls += 1
    if S.last is not None:
        then, x, decoding = S.last
        took = now - then
        if took > 0:
            S.model.learn(x, took)
            if decoding > 0 and took > engine.tbt_slo:
                S.good = S.fresh
                S.goodn = S.freshn
    S.last = None
    S.goodn = min(S.goodn, engine.decoding)
    if engine.decoding == 0:
        S.good = False
    S.blocks = max(S.blocks, engine.free_blocks)


def note(now, chunks, by, engine):
    """Remember what was asked for, to learn from the time that it takes."""
    L = engine.layers
    sums, attn, ended = {}, 0.0, []
    for i, tokens, layers in chunks:
        p = by[i]
        key = (p.layers, p.layers + layers)
        sums[key] = sums.get(key, 0) + tokens
        attn += tokens * (p.computed + tokens / 2) * layers / L
        if p.layers + layers == L and p.computed + tokens == p.tokens:
            ended.append(p)
    x = features(engine.decoding, engine.context, [(f, t, c) for (f, t), c in sums.items()], len(chunks), attn, L)
    S.fresh, S.freshn = False, 0
    mean, _ = S.model.predict(x)
    for p in ended:
        if p.id not in S.finished and now + 0.9 * mean <= p.arrived + engine.ttft_slo:
            S.fresh = True
            S.freshn += 1
        S.finished.add(p.id)
    S.good = S.good or S.fresh
    S.goodn += S.freshn
    if chunks and len(ended) < len(by):
        S.last = (now, x, engine.decoding)


def check(chunks, by, engine):
    room, places, total = engine.free_blocks, engine.free_places, engine.batch_tokens - engine.decoding
    if len({c[0] for c in chunks}) < len(chunks) or (not chunks and engine.decoding == 0):
        return False
    for i, tokens, layers in chunks:
        p = by[i]
        if (p.chunk and tokens != p.chunk) or tokens < 1 or layers < 1:
            return False
        if p.layers + layers > engine.layers or p.computed + tokens > p.tokens:
            return False
        total -= tokens
        if p.blocks > 0:
            room -= p.blocks
            places -= 1
    return total >= 0 and room >= 0 and places >= 0


def simple(by, engine):
    """Chunks in order, if all else fails or nothing decodes that would allow to wait."""
    budget, room, places, work = engine.batch_tokens - engine.decoding, engine.free_blocks, engine.free_places, 1024
    chunks = []
    for p in by.values():
        tokens = p.chunk or min(p.tokens - p.computed, 1024, budget)
        if work > 0 and 0 < tokens <= budget and (p.blocks == 0 or (p.blocks <= room and places > 0)):
            chunks.append((p.id, tokens, engine.layers - p.layers))
            work -= tokens
            budget -= tokens
            if p.blocks > 0:
                room -= p.blocks
                places -= 1
    return chunks


def plan(now, waiting, prefilling, engine):
    L, D, context, model = engine.layers, engine.decoding, engine.context, S.model
    tbt, ttft, cap = engine.tbt_slo, engine.ttft_slo, engine.batch_tokens - engine.decoding
    everyone = list(prefilling) + list(waiting)
    if cap <= 0:
        return []

    # Calibration: while nothing decodes, the first prompt goes in steps that tell the most.
    if D == 0 and model.n < 3:
        p = everyone[0]
        rest = p.tokens - p.computed
        if p.chunk == 0 and rest >= 64 and (p.blocks == 0 or (p.blocks <= engine.free_blocks and engine.free_places)):
            if p.computed == 0:
                return [(p.id, min(8, cap), L)]
            if p.computed <= 8:
                return [(p.id, min(max(16, rest // 4), cap), L)]
            return [(p.id, min(rest, cap), max(1, L // 2))]
        fits = p.blocks == 0 or (p.blocks <= engine.free_blocks and engine.free_places > 0)
        if fits and rest < 64 and rest <= cap and L - p.layers > 1:
            return [(p.id, p.chunk or rest, max(1, (L - p.layers) // 2))]

    tight = model.tight()
    base, doubt = model.predict(features(D, context, [], 0, 0.0, L))
    free = D == 0 or not S.good or base - doubt > tbt * 1.01 or S.calls > 9000
    limit = 1e9 if free else tbt * tight

    # Seconds for so many tokens whole through all layers, beside the decoding requests.
    De = max(D, 2)
    alone = model.predict(features(De, context, [], 0, 0.0, L))[0]
    span = (tight - 0.008) * tbt
    stretch = span / max(0.1 * span, span - alone * (1 + 0.7 * model.q))
    ref = max(64, min(2500, sum(p.tokens - p.computed for p in everyone)))
    points = [ref] + [n for n in (4000, 8000, 16000, 32000) if n > ref]
    rates = []
    for n in points:
        x = features(De, context, [(0, L, n)], 1, 0.5 * n * n, L)
        rates.append(1.04 * max(1e-7, model.predict(x)[0] - alone) * stretch / n)
    work = {}
    for p in everyone:
        n, i = p.tokens - p.computed, 0
        while i + 1 < len(points) and points[i + 1] <= n:
            i += 1
        rate = rates[i]
        if n > points[i] and i + 1 < len(points):
            rate += (rates[i + 1] - rate) * (n - points[i]) / (points[i + 1] - points[i])
        work[p.id] = rate * (n - p.chunk * p.layers / L)

    # Who can be on time? Moore-Hodgson.
    early = max(0.02 * ttft, min(tbt, 0.05 * ttft))
    hope, lost, kept, heap, t, need, dropped = [], [], {}, [], now, 0.0, []
    order = sorted(everyone, key=lambda p: (p.arrived, p.id))
    for p in order:
        due = p.arrived + ttft
        if p.id in S.finished or now > due:
            lost.append(p)
        elif now + 0.7 * work[p.id] > due:
            hope.append(p)
        else:
            t += work[p.id]
            kept[p.id] = p
            heapq.heappush(heap, (-work[p.id], p.id))
            if t > due - early and len(kept) > 1:
                w, i = heapq.heappop(heap)
                t += w
                dropped.append(kept.pop(i))
    first = list(kept.values())

    # Would one long iteration save more than decode well now?
    burst = False
    if not free and model.n > 30 and len(dropped) > S.goodn + 1:
        some, T, area, room = [], 0, 0.0, engine.free_blocks
        for p in sorted(first + dropped, key=lambda p: (work[p.id], p.id)):
            n = p.tokens - p.computed
            if T + n <= 0.95 * cap and p.blocks <= room and (p.chunk == 0 or p.chunk == n):
                some.append(p)
                room -= p.blocks
                T += n
                area += n * (p.computed + n / 2)
        took = 1.05 * model.safe(features(D, context, [(0, L, T)], len(some), area, L))
        after = model.predict(features(D + len(some), context + T, [], 0, 0.0, L))[0]
        if some and after < 0.92 * tbt and all(now + took < p.arrived + 0.98 * ttft for p in some):
            ids, t, others = {p.id for p in some}, now + took, []
            for p in sorted(first + dropped, key=lambda p: (p.arrived, p.id)):
                if p.id not in ids:
                    t += work[p.id]
                    heapq.heappush(others, -work[p.id])
                    if t > p.arrived + ttft - early:
                        t += heapq.heappop(others)
            if len(some) + len(others) - len(first) > S.goodn + 1:
                burst = free = True
                limit = 1e9
                dropped = [p for p in first + dropped if p.id not in ids]
                first = some
    hope += dropped
    first.sort(key=lambda p: (p.arrived, p.id))
    ahead = 0.0
    for p in first:
        ahead += work[p.id]
        need = max(need, ahead / max(1e-3, p.arrived + ttft - now))
    if not free:
        # The less of the time until their deadlines they need, the wider the margin; but prompts always get a share.
        need = max(need, 0.6) if hope or lost else need
        limit = max(tbt * min(tight, max(0.88, 0.84 + 0.22 * need)), min(tight * tbt, 1.4 * base))
    hope.sort(key=lambda p: (work[p.id], p.id))
    ranked = first or hope
    if not ranked:
        # The lost wait while good requests decode: they'd only lengthen the iterations of the others.
        wait = D >= 3 and not free and len(waiting) < 32
        ranked = [p for p in lost if not wait or p.blocks == 0 or now - p.arrived > max(20.0, 3 * ttft)]

    chunks, ivs, attn = [], [], 0.0
    room, places = engine.free_blocks, engine.free_places

    # If the lost fill the window of the waiting, park some: a token each, to see those behind.
    if len(waiting) >= 32 and len(lost) >= 12:
        for p in [p for p in lost if p.blocks > 0 and p.tokens > 1][:2]:
            if room - p.blocks >= 0.3 * S.blocks and places > 4 and cap > 8:
                chunks.append((p.id, 1, L))
                room -= p.blocks
                places -= 1
                cap -= 1
        if chunks:
            ivs = [(0, L, len(chunks))]
    parked = {c[0] for c in chunks}

    def advance(at, members, explore=False):
        """Let the (prompt, tokens) pass the most layers that fit; true if they are through."""
        nonlocal ivs, attn, cap
        total = sum(n for _, n in members)
        area = sum(n * (p.computed + n / 2) for p, n in members)
        count = len(chunks) + len(members)

        def x_of(k):
            return features(D, context, ivs + [(at, at + k, total)], count, attn + area * k / L, L)

        k = most(lambda k: model.safe(x_of(k)), L - at, limit)
        if k == 0 and len(chunks) == len(parked):
            if explore or S.calls > 9000 or model.predict(x_of(1))[0] <= 0.995 * tbt:
                k = 1
        if k == 0:
            return False
        through = k == L - at
        if through and k >= 4 and not chunks and count == len(everyone) and 8 * tbt < ttft and at == 0 and (
                now - everyone[0].arrived < 0.5 * ttft):
            # What ends all prompts in one iteration tells nothing of its time; in two halves it does.
            mean, dev = model.predict(x_of(k))
            if model.n < 120 or dev >= 0.008 * mean:
                k, through = k // 2, False
        chunks.extend((p.id, n, k) for p, n in members)
        ivs = ivs + [(at, at + k, total)]
        attn += area * k / L
        cap -= total
        return through

    # Chunks that are part-way, by groups at the same layer.
    groups = {}
    for p in ranked:
        if p.chunk:
            groups.setdefault(p.layers, []).append(p)
    for at, group in groups.items():
        members, total = [], 0
        for p in group:
            if total + p.chunk <= cap:
                members.append((p, p.chunk))
                total += p.chunk
        if members and not advance(at, members):
            return chunks

    # A new convoy of whole prompts.
    begun = [p for p in prefilling if p.chunk or p.computed > 1]
    behind = sum(p.tokens for p in begun)
    lone = model.predict(features(2, behind, [], 0, 0.0, L))[0] < 0.9 * tbt
    share = tight - 0.002 if first or hope else 0.72
    reserve = 0.02 * S.blocks if D > 0 else 0

    def bearable(more, tokens):
        """May so many more decode, without decoding alone coming near to the SLO?"""
        if burst or not lone or D + len(begun) + more <= 2:
            return True
        x = features(D + len(begun) + more, context + behind + tokens + 30 * D, [], 0, 0.0, L)
        mean, dev = model.predict(x)
        return mean * (1 + 0.5 * model.q) - 0.3 * dev <= tbt * share

    members, total, joined, soonest, explore = [], 0, 0, 1e18, False
    most_tokens = min(cap, max(1, engine.batch_tokens - D - engine.batch_tokens // 32))
    top = most_tokens if free else min(most_tokens, 4096)
    for p in ranked:
        if p.chunk or p.id in parked:
            continue
        if p.blocks > 0 and (p.blocks > room - reserve or places <= 0):
            continue
        if p.computed <= 1 and (D > 0 or members or chunks) and not bearable(len(members) + 1, joined + p.tokens):
            continue
        n = p.tokens - p.computed
        due = p.arrived + ttft - now
        if members:
            if total + n > top:
                continue
            if first and not burst and rates[0] * (total + n) > 0.9 * min(soonest, due):
                break
            if not first and total >= 512 and D > 0:
                break
        else:
            n = piece(n, p.computed, most_tokens, D, context, L, limit, model)
            if n <= 0:
                # Nothing fits: is it load, or only doubt?
                explore = D > 0 and not chunks and (model.n < 8 or (doubt > 0.015 * base and base < 0.97 * tbt))
                if not explore:
                    continue
                n = min(p.tokens - p.computed, 32, most_tokens)
        members.append((p, n))
        total += n
        joined += p.tokens
        soonest = min(soonest, due)
        if p.blocks > 0:
            room -= p.blocks
            places -= 1
        if n < p.tokens - p.computed:
            break
    if members:
        advance(0, members, explore)
    return chunks


def most(cost, top, limit):
    """The most layers whose cost keeps within the limit."""
    if limit > 1e8 or cost(top) <= limit:
        return top
    lo, hi = 0, top
    while hi - lo > 1:
        mid = (lo + hi) // 2
        if cost(mid) <= limit:
            lo = mid
        else:
            hi = mid
    return lo


def piece(n, computed, cap, D, context, L, limit, model):
    """Into how large pieces to cut a prompt, so that it is through soonest."""
    best, size = 1e18, 0
    for parts in (1, 2, 3, 4, 6, 8, 12, 16):
        C = -(-n // parts)
        if C > cap:
            continue
        if limit > 1e8:
            return C
        if parts > 1 and C < 64:
            break
        area = C * (computed + n / 2)

        def x_of(k):
            return features(D, context, [(0, k, C)], 1, area * k / L, L)

        k = most(lambda k: model.safe(x_of(k)), L, limit)
        if k < 1 or parts * -(-L // k) > 400:
            continue
        time = parts * (L / k) * model.predict(x_of(k))[0]
        if time < 0.97 * best:
            best, size = time, C
        if parts * C >= n and k == L:
            break
    return size
