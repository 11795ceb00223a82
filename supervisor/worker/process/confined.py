"""What is started here may look into no process outside: a domain of the kernel's Landlock.

A process in a domain can trace those of the same domain alone, so that /proc shows it nobody else's
environment and memory, whether they have hidden themselves or not. That takes a tenth of a
millisecond and no privilege, and holds for all descendants. Nothing more is asked of it here.
"""

from __future__ import annotations

import ctypes
import os
import struct

_PR_SET_NO_NEW_PRIVS = 38  # <sys/prctl.h>
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every architecture but Alpha
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_SCOPE_SIGNAL = 1 << 1
_REFER = 1 << 13  # to move a file into another folder, or link it there
_BENEATH = 1  # LANDLOCK_RULE_PATH_BENEATH
#: A domain has to forbid something. Since Linux 6.12 that can be signals to who is outside of it.
_CAN_SCOPE = 6
#: Before, what all files are then allowed. In the first version moves could not be (Linux 5.13).
_CAN_REFER = 2


class _RefusedError(OSError):
    """A call was not carried out: an older kernel, one without it, a filter of calls."""


def confine(version: int | None = None) -> bool:
    """Put this thread, and what it starts from now on, into a domain of its own, for good.

    Args:
        version: of Landlock, as which the kernel's is taken.

    Returns:
        Whether that could be done; else nothing was.
    """
    try:
        known = _call(_CREATE_RULESET, None, 0, _VERSION)
        version = known if version is None else min(version, known)
        if version < _CAN_REFER:
            return False
        ruleset = _signals() if version >= _CAN_SCOPE else _moves()
        try:
            _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            _call(_RESTRICT_SELF, ruleset, 0)
        finally:
            os.close(ruleset)
    except (OSError, AttributeError):
        return False
    return True


def _signals() -> int:
    """A set of rules by which no signal leaves the domain."""
    attributes = struct.pack("=QQQ", 0, 0, _SCOPE_SIGNAL)
    return _call(_CREATE_RULESET, attributes, len(attributes), 0)


def _moves() -> int:
    """A set of rules about moving files, which allows it everywhere."""
    attributes = struct.pack("=Q", _REFER)
    ruleset = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        root = os.open("/", os.O_PATH | os.O_CLOEXEC)
        try:
            _call(_ADD_RULE, ruleset, _BENEATH, struct.pack("=Qi", _REFER, root), 0)
        finally:
            os.close(root)
    except OSError:
        os.close(ruleset)
        raise
    return ruleset


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: bytes | int | None) -> int:
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = _libc().syscall(ctypes.c_long(number), *given)
    if result < 0:
        raise _RefusedError(ctypes.get_errno(), "Landlock")
    return result
