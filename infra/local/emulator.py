"""Runs MiniStack in this process, with one fix, on a leash.

The environment is the caller's work (infra/local/src/emulator.rs): functions inherit it.

With --leash the process leads a group of its own and reads standard input: the line "stay" lets it outlive its parent; an end of
file without it means that the parent is gone, and the whole group, functions included, is killed. Nothing is lost: all state is in
memory.
"""

import os
import signal
import socketserver
import sys
import threading

STAY = b"stay"


def watch_parent():
    """Kills our group when the parent's end of the pipe closes, unless it told us to stay."""
    line = sys.stdin.buffer.readline()
    if line.strip() == STAY:
        return
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main():
    if "--leash" in sys.argv[1:]:
        if os.getpgrp() != os.getpid():
            sys.exit("emulator.py: --leash needs a process group of its own, or the caller's would be killed")
        sys.argv.remove("--leash")
        threading.Thread(target=watch_parent, name="leash", daemon=True).start()
    # A stack that stays outlives the terminal it was started from.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    # Its runtime API answers functions in two small writes: with Nagle's algorithm each invocation waits 40 ms for an ACK.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True

    from ministack.app import main as run

    run()


if __name__ == "__main__":
    main()
