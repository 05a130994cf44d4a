"""The jail's system call filter: an allow-list, everything else fails with EPERM.

What is left is what a computing, single-threaded Python needs once all is imported: memory, clocks, entropy, and bytes
over descriptors that it already has. No call on it takes a path, makes a process or thread, opens a socket, sends a
signal to another process, or sleeps. EPERM instead of a kill lets a policy fail as an ordinary exception, with its
line.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """`audit` is the AUDIT_ARCH_* constant; the numbers are those of the kernel's system call table."""

    audit: int
    tgkill: int
    allowed: dict[str, int]


_X86_64 = Architecture(
    audit=0xC000003E,
    tgkill=234,
    allowed={
        "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12,
        "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "sched_yield": 24, "mremap": 25, "madvise": 28,
        "getpid": 39, "sendto": 44, "recvfrom": 45, "exit": 60, "gettimeofday": 96, "getrusage": 98, "times": 100,
        "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108, "getppid": 110, "sigaltstack": 131,
        "gettid": 186, "time": 201, "futex": 202, "sched_getaffinity": 204, "restart_syscall": 219,
        "clock_gettime": 228, "clock_getres": 229, "exit_group": 231, "getcpu": 309, "getrandom": 318,
    },
)  # fmt: skip
_AARCH64 = Architecture(
    audit=0xC00000B7,
    tgkill=131,
    allowed={
        "close": 57, "lseek": 62, "read": 63, "write": 64, "fstat": 80, "exit": 93, "exit_group": 94, "futex": 98,
        "clock_gettime": 113, "clock_getres": 114, "sched_getaffinity": 123, "sched_yield": 124,
        "restart_syscall": 128, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139,
        "times": 153, "getrusage": 165, "getcpu": 168, "gettimeofday": 169, "getpid": 172, "getppid": 173,
        "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177, "gettid": 178, "sendto": 206, "recvfrom": 207,
        "brk": 214, "munmap": 215, "mremap": 216, "mmap": 222, "mprotect": 226, "madvise": 233, "getrandom": 278,
    },
)  # fmt: skip
ARCHITECTURES = {"x86_64": _X86_64, "aarch64": _AARCH64}

# Classic BPF opcodes (linux/include/uapi/linux/bpf_common.h) and seccomp's return values (linux/seccomp.h).
_LOAD_WORD = 0x20
_JUMP_IF_EQUAL = 0x15
_RETURN = 0x06
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_FAIL = 0x00050000
# Offsets into struct seccomp_data; the low half of an argument comes first on both (little-endian) architectures.
_NUMBER, _ARCH, _ARGUMENT_0 = 0, 4, 16


def program(machine: str, pid: int) -> bytes:
    """The filter for a process: `machine` as platform.machine() names it, `pid` as the process sees itself.

    Raises:
        KeyError: no system call table for this machine.
    """
    architecture = ARCHITECTURES[machine]
    numbers = sorted(architecture.allowed.values())
    code = [
        (_LOAD_WORD, 0, 0, _ARCH),
        (_JUMP_IF_EQUAL, 1, 0, architecture.audit),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD_WORD, 0, 0, _NUMBER),
    ]
    remaining = len(numbers) + 4  # instructions between the first comparison and the final ALLOW
    for position, number in enumerate(numbers):
        code.append((_JUMP_IF_EQUAL, remaining - position - 1, 0, number))
    code += [  # abort() raises a signal in its own process and in no other
        (_JUMP_IF_EQUAL, 0, 2, architecture.tgkill),
        (_LOAD_WORD, 0, 0, _ARGUMENT_0),
        (_JUMP_IF_EQUAL, 1, 0, pid),
        (_RETURN, 0, 0, _FAIL | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
