"""Evidence that there is room: layered prefill whose iterations are as long as the SLO between tokens allows.

How long an iteration takes is learnt from the clock, by recursive least squares over a constant, the decoding requests,
their context, the prefill work (tokens times share of the layers) and its attention. The shortest prompts go first,
those that are too late for their SLO last.
"""

import numpy as np

CHUNK = 4096
AIM = 0.75  # of the SLO
FORGET = 0.995
SCALE = np.array([1.0, 30.0, 1e5, 500.0, 5e6])

state = {"last": None, "weights": np.array([0.005, 0.006, 0.003, 0.015, 0.003]), "spread": np.eye(5) * 1.0}


def schedule(now, waiting, prefilling, engine):
    learn(now)
    aim = AIM * engine.tbt_slo if engine.decoding else 0.5
    budget, room, places = engine.batch_tokens - engine.decoding, engine.free_blocks, engine.free_places
    chunks, work, attention = [], 0.0, 0.0
    price = state["weights"][3] / SCALE[3]
    for prompt in sorted(prefilling + waiting, key=lambda prompt: urgency(prompt, now, engine, price)):
        tokens = prompt.chunk or min(prompt.tokens - prompt.computed, CHUNK, budget)
        if tokens <= 0 or tokens > budget or prompt.blocks > room or (prompt.blocks and not places):
            continue
        pairs = tokens * (tokens + 2.0 * prompt.computed)
        idle = seconds(features(engine, work, attention))
        a_layer = (seconds(features(engine, work + tokens, attention + pairs)) - idle) / engine.layers
        layers = min(int((aim - idle) / max(a_layer, 1e-6)), engine.layers - prompt.layers)
        if layers < 1:
            if chunks:
                break
            layers = 1
        chunks.append((prompt.id, tokens, layers))
        work += tokens * layers / engine.layers
        attention += pairs * layers / engine.layers
        budget -= tokens
        room -= prompt.blocks
        places -= prompt.blocks > 0
    state["last"] = (now, features(engine, work, attention)) if chunks else None
    return chunks


def features(engine, work, attention):
    return np.array([1.0, engine.decoding, engine.context, work, attention]) / SCALE


def seconds(row):
    return float(row @ np.maximum(state["weights"], 0.0))


def urgency(prompt, now, engine, price):
    left = prompt.tokens - prompt.computed - prompt.chunk * prompt.layers / engine.layers
    hopeless = now + left * price > prompt.arrived + engine.ttft_slo
    return hopeless, prompt.chunk == 0, left


def learn(now):
    if state["last"] is None:
        return
    before, row = state["last"]
    gain = state["spread"] @ row / (FORGET + row @ state["spread"] @ row)
    state["weights"] = state["weights"] + gain * (now - before - row @ state["weights"])
    state["spread"] = (state["spread"] - np.outer(gain, row @ state["spread"])) / FORGET
