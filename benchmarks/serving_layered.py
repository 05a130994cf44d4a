"""Layered against chunked prefill in the set-up of the paper, predicted before the first run.

Lee et al., "From Tokens to Layers: Redefining Stall-Free Scheduling for LLM Serving with Layered Prefill" (MLSys 2026,
arXiv:2510.08055): Qwen3-30B-A3B on two H100 with tensor parallelism, summaries of arXiv papers (prompts of 9,194 tokens
on average, up to 32k) at 1.3 requests/s, and ShareGPT conversations (2,340 tokens), Poisson arrivals; chunks of 512
tokens against ceil(L / 512) groups of layers, both in order of arrival. Here: kernel times of aiconfigurator for two
GPUs (extra `gpu`) with the host work of the built-in profile, log-normal lengths of those means, 1,000 requests.

    python benchmarks/serving_layered.py

Reported by the paper, layered against chunked (its tables 6 to 8): arXiv at 1.3 requests/s: mean TTFT 2.80 -> 1.24 s
(-56 %), p99 TTFT 8.65 -> 4.10 s (-53 %), mean TBT -35 %, p99 TBT -27 %, end to end 9.4 -> 5.5 s (-41 %), bytes of expert
weights read -39 %, energy per token at the same rate -8 to -9 %. ShareGPT: expert weights -12 %.

Predicted here (written before any run, by hand from the built-in tables for one GPU, all kernel times halved and 1.2 ms
of all-reduce added; queue as M/G/1). An iteration with a chunk of 512 reads all experts and takes about 22 ms, one with
a group of a prompt's layers 13 ms, for the other layers read only the experts of some 4 decoding sequences, and one that
only decodes 9 ms. A prompt has 18 of them either way: 0.40 against 0.24 s, that is 52 against 31 % of the time at 1.3
requests/s.
  arXiv, 1.3 requests/s: mean TTFT -50 %, p99 TTFT -40 %, mean TBT -23 %, p99 TBT -30 %, end to end -29 %, expert weights
  -40 %, energy per token -13 %.
  ShareGPT, 4 requests/s: about 35 sequences decode and activate nine tenths of the experts if routing is uniform, so
  layers without a prompt save little: mean TTFT -27 %, expert weights no less than before (-2 to +5 %).
"""
