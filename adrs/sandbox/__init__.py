"""The wall between policies and simulators, as processes.

    coordinator                 asyncio; holds keys and the archive; never runs a policy or a simulator
      referee (one a job slot)  `referee`, started by `host`: trusted; holds the evaluator and its workloads
        fork-server             `forkserver`, started by `launcher`: clean environment, all imports done, no secrets
          policy process        `child` behind `jail`: one candidate, one evaluation, then killed

`wire` is the call protocol between referee and policy process, `contract` its types, `policy` the referee's end of it;
`kernel` and `seccomp` are what the jail is made of; `inspection` reads texts without running them.
"""
