"""Runs a command on a leash: when our standard input ends, whoever started us is gone, and the command is killed.

In scope: programs that know no leash of their own, such as DynamoDB Local. The emulator has its own (emulator.py).
"""

import subprocess
import sys
import threading


def main():
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def watch():
        sys.stdin.buffer.read()
        child.kill()

    threading.Thread(target=watch, name="leash", daemon=True).start()
    sys.exit(child.wait())


if __name__ == "__main__":
    main()
