"""Routing by predicted time, migration by tail-weighted slowdown, size by a band on an additive load."""

import math
from collections import deque

import numpy as np

from interface import Migration, Plan

START_ABOVE = 25.0
STOP_BELOW = 16.5
RUNNING = 0.7
MEMORY = 32.0
PREFILL = 0.011
MEMORY_FEW = 29.0  # where only a part of the cluster served at the start
SECOND = 95.0  # of prompt work
PREFILL_MIN = 0.0088  # of a prompt token that is still to be computed
PREFILL_MAX = 0.015
FULL = 150.0
FULL_FROM = 0.85
HOLD = 14
HARM = 0.12
MOVE_GAIN = 0.04
COOLDOWN = 3.0


class State:
    def __init__(self, n):
        self.n = n
        self.last = None
        self.seen = -1.0
        self.theta = np.array([0.02, 0.01, 0.15])
        self.prior = np.diag([1200.0, 300.0, 0.6])
        self.A = np.zeros((3, 3))
        self.b = np.zeros(3)
        self.prev = {}
        self.prev_inst = {}
        self.routed = {}
        self.tainted = set()
        self.rho = {}
        self.W = {}
        self.count = 0
        self.fin = []
        self.cached = {}
        self.moved = {}
        self.life = 8.0
        self.first_arrival = None
        self.last_arrival = None
        self.max_gap = 1.0
        self.smooth = None
        self.begin = True
        self.t0 = 0.4
        self.sum = 0.0
        self.square = 0.0
        self.memory = None
        self.totals = deque(maxlen=9)
        self.calls = 0
        self.mass = self.mean_mass = 0.0
        self.bulk = self.mean_bulk = 0.0
        self.low = 0
        self.recent = deque()
        self.hits = {}
        self.hit_tokens = 0.0
        self.all_tokens = 500.0

    def caching(self):
        return self.hit_tokens > 0.12 * self.all_tokens


S = None


def state(now, instances):
    global S
    if S is None or S.n != len(instances) or now + 1e-6 < S.seen:
        S = State(len(instances))
    S.seen = now
    return S


def used(i):
    return i.blocks - i.free_blocks + i.waiting_blocks


def memory_wait(room, reserve, blocks):
    if room < 0:
        return 2.0 + 12.0 * (-room) / blocks
    if room < reserve:
        return 0.5 * (1.0 - room / reserve)
    return 0.0


def cost(W, k, rho, g):
    return (W + 0.3) * (1.0 + g * k) / (1.0 - np.minimum(rho, 0.8)) + 60.0 * np.maximum(0.0, k - 0.8) ** 2


def route(now, request, instances):
    st = state(now, instances)
    a, b, c1000 = st.theta
    c = c1000 / 1000.0
    g = b / a
    best = None
    prompt = request.prompt_tokens
    weight = 4.0 if request.priority else 1.0
    for i in instances:
        if i.state != "ready":
            continue
        u = max(1, prompt - i.cached_tokens)
        need = u / 16.0 + 0.5 * i.cached_tokens / 16.0 + 1.0
        k = used(i) / i.blocks
        wait = memory_wait(i.free_blocks - i.waiting_blocks - need, 0.04 * i.blocks + i.running, i.blocks)
        ttft = (i.prefill_tokens + u) * c + 0.05 * a * i.running + wait
        # only the slowest first tokens count: cheap below the usual tail, steep above it
        x = ttft * (2.0 if request.priority else 1.0) / st.t0
        value = weight * st.t0 * (0.3 * x + x * x * x / (1.0 + 0.5 * x))
        # what it costs those that are likely to be among the slowest at the end
        harm = min(10.0, st.W.get(i.id, 0.0)) * (u * c + st.life * g * need / i.blocks)
        value += HARM * harm + 0.006 * i.running + (0.55 if st.caching() else 0.2) * u * c
        value += 5.0 * max(0.0, k + need / i.blocks - 0.85)
        if request.priority:
            value += 1.5 * min(1.5, k)
        else:
            value += 0.15 * min(1.5, k) + (0.02 + 0.08 * u * c) * i.high_priority
        if best is None or value < best[0]:
            best = (value, i, u, ttft)
    chosen = best[1]
    st.t0 = min(5.0, max(0.05, st.t0 * (1.0 + 0.05 * (0.9 if best[3] > st.t0 else -0.1))))
    st.sum = 0.99 * st.sum + best[2]
    st.square = 0.99 * st.square + best[2] * best[2]
    st.routed[chosen.id] = st.routed.get(chosen.id, 0) + best[2]
    known = {i.id: i.cached_tokens for i in instances if i.cached_tokens}
    if known:
        st.cached[request.id] = known
    st.hit_tokens += chosen.cached_tokens
    st.all_tokens += prompt
    st.hits[chosen.id] = st.hits.get(chosen.id, 0.0) + prompt
    st.recent.append((now, best[2]))
    if st.last_arrival is None:
        st.first_arrival = now
    else:
        st.max_gap = max(st.max_gap, now - st.last_arrival)
    st.last_arrival = now
    st.count += 1
    return chosen.id


def learn(st, now, instances, residents):
    dt = 0.5 if st.last is None else now - st.last
    if dt <= 0:
        dt = 0.5
    steps = {}
    present = set()
    for r in residents:
        present.add(r.id)
        p = st.prev.get(r.id)
        if p and r.state == "decode" and p[1] == "decode" and p[0] == r.instance:
            d = r.generated - p[2]
            if d > steps.get(r.instance, 0):
                steps[r.instance] = d
    for i in instances:
        if i.state == "stopped":
            st.rho[i.id] = 0.0
            st.hits[i.id] = 0.0
        p = st.prev_inst.get(i.id)
        if p is None or st.last is None or i.state not in ("ready", "draining") or i.id in st.tainted:
            continue
        done = p[0] + st.routed.get(i.id, 0) - i.prefill_tokens
        if done < -64:
            continue
        done = max(0.0, done)
        share = min(0.95, done * st.theta[2] / 1000.0 / dt)
        old = st.rho.get(i.id, 0.0)
        st.rho[i.id] = old + (1 - math.exp(-dt / 6.0)) * (share - old)
        n = steps.get(i.id, 0)
        k = 0.5 * ((i.blocks - i.free_blocks) / i.blocks + p[1])
        if n > 0:
            x = np.array([n, n * k, done / 1000.0])
        elif p[0] > 0 and i.prefill_tokens > 0 and done > 0:
            x = np.array([0.0, 0.0, done / 1000.0])
        else:
            continue
        st.A = st.A * 0.999 + np.outer(x, x)
        st.b = st.b * 0.999 + x * dt
    theta0 = np.array([0.02, 0.01, 0.15])
    try:
        theta = np.linalg.solve(st.A + st.prior, st.b + st.prior @ theta0)
        a = min(0.2, max(0.002, theta[0]))
        st.theta = np.array([a, min(2.5 * a, max(0.05 * a, theta[1])), min(2.0, max(0.01, theta[2]))])
    except np.linalg.LinAlgError:
        pass
    for rid, p in st.prev.items():
        if rid not in present:
            age = now - p[3]
            st.fin.append(age * (4.0 if p[4] else 1.0))
            st.life += 0.02 * (age - st.life)
            st.cached.pop(rid, None)
            st.moved.pop(rid, None)
    st.prev = {r.id: (r.instance, r.state, r.generated, r.arrived, r.priority) for r in residents}
    st.prev_inst = {
        i.id: (i.prefill_tokens, (i.blocks - i.free_blocks) / i.blocks)
        for i in instances
        if i.state in ("ready", "draining")
    }
    st.routed = {}
    st.tainted = set()
    st.last = now
    for i in st.hits:
        st.hits[i] *= 0.99


def tail_weights(st, now, residents):
    """The chance of each request to be one of the slowest 5 %, times its priority's factor."""
    if not residents:
        return np.zeros(0)
    factor = np.array([4.0 if r.priority else 1.0 for r in residents])
    age = np.array([now - r.arrived for r in residents]) * factor
    everything = np.sort(np.concatenate([np.array(st.fin), age]))
    n = max(st.count, len(everything), 20)
    survive = (len(everything) - np.searchsorted(everything, age, side="left")) / n
    return np.minimum(1.0, 0.05 / np.maximum(survive, 0.01)) * factor


def load(i):
    share = used(i) / i.blocks
    value = RUNNING * i.running + 3.0 * i.waiting + PREFILL * i.prefill_tokens + MEMORY * share
    return value + FULL * max(0.0, share - FULL_FROM)


def scale(st, now, instances, ready, plan):
    live = [i for i in instances if i.state in ("ready", "draining")]
    starting = [i for i in instances if i.state == "starting"]
    active = len(ready) + len(starting)
    c = st.theta[2] / 1000.0
    if st.memory is None:
        st.memory = MEMORY if active == st.n else MEMORY_FEW
    prefill = min(PREFILL_MAX, max(PREFILL_MIN, SECOND * c))
    start_above, stop_below, duty, window = START_ABOVE, STOP_BELOW, 1.15, 7.0
    if st.memory == MEMORY:
        start_above *= 0.97
        stop_below *= 0.97
    if st.caching():
        # how long one prompt blocks an instance for others, from 0 (short prompts) to 1
        block = min(1.0, max(0.0, (st.square / max(1.0, st.sum) - 1200.0) / 2800.0))
        start_above += 15.0 * (1.0 - block)
        stop_below += 13.0 * (1.0 - block)
        prefill *= 1.0 - 0.68 * (1.0 - block)
        duty = 0.8 + 1.2 * (1.0 - block)
        window = 4.0 + 4.0 * (1.0 - block)
    total = sum(
        load(i) - (PREFILL - prefill) * i.prefill_tokens - (MEMORY - st.memory) * used(i) / i.blocks for i in live
    )
    # Only the slowest count at the end: the best size is about the geometric mean of the load and of
    # what may be among the slowest, both relative to their means.
    mass = sum(st.W.values())
    weight = sum(RUNNING * i.running + MEMORY * used(i) / i.blocks for i in live)
    st.calls += 1
    quick, slow = max(0.1, 1.0 / st.calls), max(0.008, 1.0 / st.calls)
    st.mass += quick * (mass - st.mass)
    st.bulk += quick * (weight - st.bulk)
    st.mean_mass += slow * (mass - st.mean_mass)
    st.mean_bulk += slow * (weight - st.mean_bulk)
    if st.calls > 40 and st.mean_mass > 0.3 and st.mean_bulk > 1.0:
        relative = max(0.02, st.bulk / st.mean_bulk) / max(0.02, st.mass / st.mean_mass)
        factor = relative**0.5 * max(0.3, st.mass / st.mean_mass) ** -0.12
        factor = min(1.25, max(0.84, factor))
        start_above *= factor
        stop_below *= factor
    over = (
        st.count > 50
        and st.last_arrival is not None
        and now - st.last_arrival > max(3.0, 1.5 * st.max_gap)
    )
    if st.smooth is None or over:
        st.smooth = total
    st.smooth = max(total, st.smooth + 0.1 * (total - st.smooth))
    while st.recent and st.recent[0][0] < now - window:
        st.recent.popleft()
    elapsed = window if st.first_arrival is None else min(window, max(1.0, now - st.first_arrival))
    rho = sum(tokens for _, tokens in st.recent) * c / elapsed
    young = st.first_arrival is None or now - st.first_arrival < 20.0
    enough = math.ceil(rho / duty - 0.4)
    want = active
    if total > start_above * active:
        want = max(active + 1, int(total / start_above) + 1)
    want = min(len(instances), max(want, enough))
    if want > active:
        st.low = 0
        off = [i.id for i in instances if i.state == "draining"]
        off += [i.id for i in instances if i.state == "stopped"]
        plan.start = off[: want - active]
        return
    if len(ready) < 2 or starting:
        return
    margin = 0.0 if over else 3.0
    if st.begin:
        # hardly anything runs yet: idle instances stop before they have cost anything
        st.begin = False
        if len(ready) == st.n and st.n >= 4 and total < 0.8 * start_above * ((st.n + 1) // 2):
            idle = [i.id for i in reversed(ready) if not i.running and not i.waiting]
            plan.stop = idle[: st.n // 2]
            if plan.stop:
                return
    # where the load will be in some seconds if it goes on rising
    st.totals.append(total)
    rise = (total - st.totals[0]) / max(1, len(st.totals) - 1)
    ahead = max(st.smooth, total + 14.0 * max(0.0, rise))
    if st.smooth < stop_below * (active - 1) + margin and (over or enough < active):
        st.low += 1
        if over:
            patience = 2
        elif young and active > 0.6 * st.n:
            patience = 8
        elif young and ahead < 0.7 * stop_below * (active - 1):
            patience = 5
        else:
            patience = HOLD + (10 if st.caching() else 0)
        if st.low >= patience:
            goal = max(1, math.ceil((st.smooth - margin) / stop_below))
            if not over:
                goal = max(goal, enough)
            surplus = active - goal
            count = surplus if over else (surplus + 1) // 2
            count = max(1, min(len(ready) - 1, count))
            if st.caching():
                order = sorted(ready, key=lambda i: (st.hits.get(i.id, 0.0), load(i)))
            else:
                order = sorted(ready, key=lambda i: load(i) + 2.0 * st.W.get(i.id, 0.0))
            plan.stop = [i.id for i in order[:count]]
            st.low = max(0, patience - 4)
    else:
        st.low = 0


def rebalance(now, instances, residents):
    st = state(now, instances)
    learn(st, now, instances, residents)
    a, b, c1000 = st.theta
    c, g = c1000 / 1000.0, b / a
    plan = Plan(migrations=[], start=[], stop=[])
    weights = tail_weights(st, now, residents)
    size = len(instances)
    W = np.zeros(size)
    for r, w in zip(residents, weights):
        W[r.instance] += w
    st.W = {i: float(W[i]) for i in range(size)}
    ready = [i for i in instances if i.state == "ready"]
    scale(st, now, instances, ready, plan)
    stopping = set(plan.stop)
    targets = [i for i in ready if i.id not in stopping]
    leaving = stopping | {i.id for i in instances if i.state == "draining" and i.id not in plan.start}
    if not targets:
        return plan
    B = np.array([float(i.blocks) for i in instances])
    free = np.array([float(i.free_blocks - i.waiting_blocks) for i in instances])
    work = np.array([float(i.prefill_tokens) for i in instances])
    running = np.array([float(i.running) for i in instances])
    reserve = 0.04 * B + running

    # What waits goes to where it is served sooner.
    lines = {}
    for r in residents:
        if r.state == "waiting":
            lines.setdefault(r.instance, []).append(r)
    queue = []
    for line in lines.values():
        queue.extend(line[:40])
    queue.sort(key=lambda r: (-r.priority, r.arrived, r.id))
    for r in queue[:60]:
        s = r.instance
        known = st.cached.get(r.id, {})
        mine = max(1.0, r.tokens - known.get(s, 0))
        need = r.tokens / 16.0 + 1.0
        line = lines[s]
        behind_tokens = behind_blocks = 0.0
        for other in reversed(line):
            if other.id == r.id:
                break
            behind_tokens += max(1.0, other.tokens - st.cached.get(other.id, {}).get(s, 0))
            behind_blocks += other.tokens / 16.0 + 1.0
        here = max(mine, work[s] - behind_tokens) * c + memory_wait(free[s] + behind_blocks, reserve[s], B[s])
        best = None
        for t in targets:
            j = t.id
            if j == s:
                continue
            u = max(1.0, r.tokens - known.get(j, 0))
            there = (work[j] + u) * c + memory_wait(free[j] - need, reserve[j], B[j])
            there += 0.5 * max(0.0, u - mine) * c
            if best is None or there < best[0]:
                best = (there, j, u)
        if best is None:
            continue
        if s in leaving or best[0] < 0.75 * here - 0.08:
            j = best[1]
            plan.migrations.append(Migration(r.id, j))
            st.tainted.update((s, j))
            work[s] -= mine
            work[j] += best[2]
            free[s] += need
            free[j] -= need
            lines[s] = [other for other in line if other.id != r.id]

    # Decoding requests: empty what stops, then lower the tail-weighted slowdown.
    rho = np.array([st.rho.get(i, 0.0) for i in range(size)])
    room = free.copy()
    kk = 1.0 - free / B + running / B
    index = [n for n, r in enumerate(residents) if r.state == "decode"]
    target_ids = np.array([t.id for t in targets])
    for s in sorted(leaving):
        mine = sorted((n for n in index if residents[n].instance == s), key=lambda n: (-weights[n], -residents[n].tokens))
        for n in mine[:8]:
            r = residents[n]
            blocks = r.tokens / 16.0 + 1.0
            j = target_ids
            after = cost(W[j] + weights[n], kk[j] + blocks / B[j], rho[j], g) - cost(W[j], kk[j], rho[j], g)
            after = np.where(room[j] - blocks < 0.5 * reserve[j], np.inf, after)
            m = int(np.argmin(after))
            if not np.isfinite(after[m]):
                continue
            t = int(j[m])
            plan.migrations.append(Migration(r.id, t))
            W[t] += weights[n]
            kk[t] += blocks / B[t]
            room[t] -= blocks
    senders = {i.id for i in targets if not i.sending}
    pool = [
        n
        for n in index
        if residents[n].instance in senders
        and residents[n].generated >= 10
        and now - st.moved.get(residents[n].id, -1e9) >= COOLDOWN
    ]
    if len(targets) < 2 or not pool:
        return plan
    if len(pool) > 240:
        pool = sorted(pool, key=lambda n: -weights[n])[:240]
    src = np.array([residents[n].instance for n in pool])
    w = np.array([weights[n] for n in pool])
    blocks = np.array([residents[n].tokens / 16.0 + 1.0 for n in pool])
    rid = [residents[n].id for n in pool]
    open_source = np.ones(len(pool), dtype=bool)
    target_open = np.array([not t.receiving for t in targets])
    sent, got = {}, {}
    for _ in range(min(12, 2 * len(targets))):
        base = cost(W, kk, rho, g)
        gain_source = cost(np.maximum(0.0, W[src] - w), kk[src] - blocks / B[src], rho[src], g) - base[src]
        j = target_ids
        add = cost(W[j][None, :] + w[:, None], kk[j][None, :] + blocks[:, None] / B[j][None, :], rho[j][None, :], g)
        delta = gain_source[:, None] + add - base[j][None, :]
        bad = (src[:, None] == j[None, :]) | (room[j][None, :] - blocks[:, None] < reserve[j][None, :])
        bad |= ~open_source[:, None] | ~target_open[None, :]
        delta = np.where(bad, np.inf, delta)
        flat = int(np.argmin(delta))
        n, m = divmod(flat, len(targets))
        if not delta[n, m] < -MOVE_GAIN:
            break
        s, t = int(src[n]), int(j[m])
        plan.migrations.append(Migration(rid[n], t))
        st.moved[rid[n]] = now
        W[s] -= w[n]
        W[t] += w[n]
        kk[s] -= blocks[n] / B[s]
        kk[t] += blocks[n] / B[t]
        room[t] -= blocks[n]
        open_source[n] = False
        sent[s] = sent.get(s, 0) + 1
        got[t] = got.get(t, 0) + 1
        if sent[s] >= 2:
            open_source[src == s] = False
        if got[t] >= 2:
            target_open[m] = False
    return plan
