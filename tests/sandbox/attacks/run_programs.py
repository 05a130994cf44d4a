# expect: denied
"""Every way of Python to start a program."""

import os
import subprocess


def choose(queue, history):
    assert os.system("id > /tmp/adrs-attack") != 0, "LEAK system"
    refused = None
    for start in (
        lambda: subprocess.run(["/bin/id"]),
        lambda: os.popen("id").read(),
        lambda: os.execv("/bin/id", ["id"]),
        lambda: os.posix_spawn("/bin/id", ["id"], {}),
        lambda: os.spawnv(os.P_NOWAIT, "/bin/id", ["id"]),
        lambda: subprocess.Popen("curl http://127.0.0.1", shell=True),
        lambda: os.forkpty(),
    ):
        try:
            raise AssertionError(f"LEAK {start()}")
        except OSError as error:
            refused = error
    raise refused
