"""A verifier of a vault's history as somebody outside could write it from docs/EVENT-LOG.md alone, with Python's own library and an Ed25519.

    python events/interop/python/outsider.py

It shares no code with the vault. The frozen history must be accepted, every hostile command refused with the code that its vector names, and
what hostile.py and signers.py try judged as they say. Out of scope: read tokens, the store, and the ledger (ledger/interop/python).
"""

import base64
import json
import pathlib
import time

import hostile
import signers
from commands import parse_command
from history import verify
from spelling import Refused, b64url, derived, need, sha, signed, thumbprint

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "vectors/events-v1.json"


def code_of(check, *given):
    """None where it accepts."""
    try:
        check(*given)
    except Refused as refused:
        return str(refused)
    return None


def check_command(case):
    command = parse_command(case["jws"])
    need(signed(b64url(case["public_key"], 32, "bad-field"), command["signature"], command["message"]), "signature-invalid")


def main():
    vectors, wrong = json.loads(VECTORS.read_text()), []

    def expect(name, got, wanted):
        if got != wanted:
            wrong.append(f"{name}: {got}, not {wanted}")

    given = vectors["thumbprint"]
    expect("thumbprint", thumbprint(given["public_key"]), given["thumbprint"])
    for case in vectors["derived_ids"]:
        expect(f"id of a {case['kind']}", derived(case["kind"], case), case["id"])
    given = vectors["commitment"]
    salt = base64.urlsafe_b64decode(given["salt"] + "==")
    expect("commitment", sha(salt + given["value"].encode()).hex(), given["commitment"])
    streams = {name: [body.encode() for body in bodies] for name, bodies in vectors["streams"].items()}
    leaves = [sha(b"\0\1" + body).hex() for bodies in streams.values() for body in bodies]
    expect("leaves", leaves, vectors["leaves"])
    started = time.monotonic()
    expect("the history", code_of(verify, vectors["genesis"], streams), None)
    print(f"{len(leaves)} events of {len(streams)} streams in {time.monotonic() - started:.2f} s")
    for case in vectors["must_fail"]:
        expect(case["name"], code_of(check_command, case), case["code"])
    print(f"{len(vectors['must_fail'])} hostile commands")
    world, tried = signers.World(streams), 0
    for wanted, jws, how in signers.cases(world):
        tried += 1
        expect(f"signers.py, case {tried}", world.code(jws, **how), wanted)
    print(f"{tried} commands of its own")
    for what, (tried, found) in {
        "bytes flipped": hostile.flips(vectors["genesis"], streams),
        "events dropped, doubled, swapped": hostile.moved(vectors["genesis"], streams),
        "events that lie, and every hash made anew": hostile.lies(vectors["genesis"], streams),
    }.items():
        print(f"{tried} {what}")
        wrong += found
    print(f"{len(wrong)} judged otherwise, {time.monotonic() - started:.1f} s")
    print("\n".join(wrong), end="")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
