"""The Linux calls that the jail needs and Python's `os` lacks, through ctypes: prctl, Landlock, seccomp."""

from __future__ import annotations

import ctypes
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2

_ADDR_NO_RANDOMIZE = 0x0040000  # linux/personality.h

# Landlock's three calls have the same numbers on every architecture (linux/include/uapi/asm-generic/unistd.h).
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_CREATE_RULESET_VERSION = 1
# Bits per ABI from linux/include/uapi/linux/landlock.h.
_FS_ABI_1 = (1 << 13) - 1
_FS_REFER = 1 << 13  # ABI 2
_FS_TRUNCATE = 1 << 14  # ABI 3
_FS_IOCTL_DEV = 1 << 15  # ABI 5
_NET_BIND_AND_CONNECT_TCP = 0b11  # ABI 4
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # ABI 6


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, value: int, what: str, pointer: int = 0) -> None:
    arguments = (ctypes.c_ulong(argument) for argument in (value, pointer, 0, 0))
    _checked(_libc.prctl(option, *arguments), what)


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when its parent ends. A change of uid clears the setting."""
    _prctl(_PR_SET_PDEATHSIG, signal_number, "prctl(PR_SET_PDEATHSIG)")


def forbid_inspection() -> None:
    """No core dumps of, and no ptrace by equals on, this process."""
    _prctl(_PR_SET_DUMPABLE, 0, "prctl(PR_SET_DUMPABLE)")


def forbid_privileges() -> None:
    """Needed once before Landlock and seccomp may be used without privileges."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, "prctl(PR_SET_NO_NEW_PRIVS)")


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 when it has none or keeps it off."""
    abi: int = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    return max(0, abi)


def landlock_deny_everything(abi: int) -> None:
    """Give up all that Landlock of this ABI (>= 1) can withhold: no rule grants anything back.

    Raises:
        OSError: the kernel refuses.
    """
    files = _FS_ABI_1 | (_FS_REFER if abi >= 2 else 0) | (_FS_TRUNCATE if abi >= 3 else 0)
    files |= _FS_IOCTL_DEV if abi >= 5 else 0
    attributes = struct.pack("=Q", files)
    if abi >= 4:
        attributes += struct.pack("=Q", _NET_BIND_AND_CONNECT_TCP)
    if abi >= 6:
        attributes += struct.pack("=Q", _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)
    ruleset = _checked(
        _libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0), "landlock"
    )
    _checked(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def fix_addresses() -> bool:
    """Have this process's later programs laid out at equal addresses every time; whether the kernel agreed.

    In CPython up to 3.11 `hash(None)` is an address, and with it the order of many sets.
    """
    former: int = _libc.personality(ctypes.c_ulong(_ADDR_NO_RANDOMIZE))
    return former >= 0


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def seccomp_install(program: bytes) -> None:
    """Load a classic BPF program as this thread's system call filter.

    Raises:
        OSError: the kernel refuses.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    filter_program = _SockFprog(len(program) // 8, ctypes.cast(buffer, ctypes.c_void_p).value)
    address = ctypes.addressof(filter_program)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, "prctl(PR_SET_SECCOMP)", address)
