"""What a store or a vault could try: histories that must be refused. What a signer could try: signers.py.

Where a change is not noticed, it is one that the document says is not: the last event of a stream, which nobody has seen, has nothing after it to
contradict what it says of itself.
"""

import base64
import copy
import json

from commands import parse_command
from history import parse_event, verify
from signers import THUMBPRINTS, sign
from spelling import Refused, sha

FREE = {"nonce", "at", "expires_at", "wrapped_sha256", "hits", "version_id"}


def refused(genesis, streams):
    try:
        verify(genesis, streams)
    except Refused as refusal:
        return str(refusal)
    return None


def unpinned(streams):
    """The streams whose last event nobody has seen."""
    seen = {tuple(place[:2]) for bodies in streams.values() for body in bodies for place in json.loads(body)["seen"]}
    return {name for name, bodies in streams.items() if (name, len(bodies) - 1) not in seen}


def flips(genesis, streams):
    """One bit of every byte of every event. Accepted are flips of what is free in an event that nothing pins."""
    tried, wrong, free = 0, [], unpinned(streams)
    for name, bodies in streams.items():
        for seq, body in enumerate(bodies):
            for at in range(len(body)):
                flipped = body[:at] + bytes([body[at] ^ 1 << at % 7]) + body[at + 1:]
                changed = streams | {name: [*bodies[:seq], flipped, *bodies[seq + 1:]]}
                tried += 1
                if refused(genesis, changed) is None:
                    old, new = parse_event(body), parse_event(flipped)
                    members = differences(old, new) | differences(old["outcome"], new["outcome"])
                    if name not in free or seq + 1 < len(bodies) or not members <= FREE | {"outcome", "leaf"}:
                        wrong.append(f"{name} {seq}: byte {at} flipped and accepted")
    return tried, wrong


def differences(old, new):
    return {member for member in old.keys() | new.keys() if old.get(member) != new.get(member)}


def moved(genesis, streams):
    """Every event dropped, doubled, made too long, and swapped with the next. Accepted is one that is missing at the end of a stream, unseen."""
    tried, wrong, free = 0, [], unpinned(streams)
    for name, bodies in streams.items():
        for at in range(len(bodies)):
            dropped = [*bodies[:at], *bodies[at + 1:]]
            last = at + 1 == len(bodies) and name in free
            cases = [("dropped", dropped, last and at > 0), ("doubled", [*bodies[:at + 1], *bodies[at:]], False)]
            long = bodies[at] + b" " * (32_769 - len(bodies[at]))
            cases.append(("stretched", [*bodies[:at], long, *bodies[at + 1:]], False))
            if at + 1 < len(bodies):
                cases.append(("swapped", [*bodies[:at], bodies[at + 1], bodies[at], *bodies[at + 2:]], False))
            for what, changed, accepted in cases:
                tried += 1
                if (refused(genesis, streams | {name: changed}) is None) != accepted:
                    wrong.append(f"{name} {at} {what}: {'refused' if accepted else 'accepted'}")
    return tried, wrong


def without(genesis, streams):
    """Each person gone, with all that has seen them: what is left holds together, but for their registration, which was written beside. And another
    genesis than the one that is left.
    """
    tried, wrong = 1, [] if refused("0" * 64, streams) else ["another genesis: accepted"]
    for person in [name for name in streams if name.startswith("staff/")]:
        gone, before = {person}, None
        while gone != before:
            before = gone
            gone = gone | {name for name, bodies in streams.items() if any(place[0] in gone for body in bodies for place in json.loads(body)["seen"])}
        tried += 1
        if refused(genesis, {name: bodies for name, bodies in streams.items() if name not in gone}) != "unsound":
            wrong.append(f"{person} gone: not refused as unsound")
    return tried, wrong


def relinked(streams, changed):
    """The history with `changed(stream, event)` of each event, and every hash made anew: what a vault could do that has no ledger over it. Operators
    look at the history as it is made, and sign its heads: else their signatures would hide what the decisions notice.
    """
    made, leaves, now = {name: [] for name in streams}, {}, {}
    waiting = {name: list(map(json.loads, bodies)) for name, bodies in streams.items()}
    while any(waiting.values()):
        ready = [name for name, events in waiting.items() if events and all((seen[0], seen[1]) in leaves for seen in events[0]["seen"])]
        for name in ready:
            event = waiting[name].pop(0)
            seq = event["seq"]
            event["prev"] = leaves.get((name, seq - 1), "0" * 64)
            event["seen"] = [[stream, at, leaves[stream, at]] for stream, at, _ in event["seen"]]
            if "command" in event:
                event["command"] = with_head(event["command"], now)
            body = json.dumps(changed(name, event), separators=(",", ":"), ensure_ascii=False).encode()
            made[name].append(body)
            leaves[name, seq] = sha(b"\0\1" + body).hex()
            now[sha(b"\0\1" + streams[name][seq]).hex()] = leaves[name, seq]
    return leaves["vault", 0], made


def with_head(jws, now):
    """The command, and where it names a head that is another now, signed for that."""
    command = parse_command(jws)
    if "head" not in command or now[command["head"]] == command["head"]:
        return jws
    header, payload = (base64.urlsafe_b64decode(part + "==").decode() for part in jws.split(".")[:2])
    return sign(THUMBPRINTS[command["kid"]], header, payload.replace(command["head"], now[command["head"]]))


def lies(genesis, streams):
    """Each event with one member changed, and the history made anew around it. All must be refused."""
    tried, wrong = 0, []
    for name, bodies in streams.items():
        for seq, body in enumerate(bodies):
            for what, lie in lies_about(json.loads(body), genesis):
                tried += 1

                def changed(stream, event, place=(name, seq), lie=lie):
                    return lie(copy.deepcopy(event)) if (stream, event["seq"]) == place else event

                if refused(*relinked(streams, changed)) is None:
                    wrong.append(f"{name} {seq} {json.loads(body)['type']}: accepted with {what}")
    return tried, wrong


def lies_about(event, genesis):
    """(what, change) for one event. What the vault alone states is left out: the genesis, and FREE."""
    if event["type"] == "vault.genesis.v1":
        yield from lies_about_genesis(event["outcome"])
        return
    for member, value in event["outcome"].items():
        if member not in FREE:
            yield f"another {member}", lambda event, member=member, value=value: put(event, "outcome", member, other(value))
        yield f"no {member}", lambda event, member=member: event["outcome"].pop(member) and event
    yield "a list for an outcome", lambda event: event | {"outcome": list(event["outcome"].values())}
    yield "a list", lambda event: list(event.values())
    yield "one more member in the outcome", lambda event: put(event, "outcome", "more", 1)
    yield "one more member", lambda event: event | {"more": 1}
    if event["type"] == "search.performed.v1":
        yield "too many hits", lambda event: put(event, "outcome", "hits", 1 << 32)
    yield "itself seen", lambda event: event | {"seen": [*event["seen"], [event["stream"], 0, "0" * 64]]}
    yield "more seen of a stream", lambda event: event | {"seen": [[*place, 0] for place in event["seen"]] or 0}
    yield "an older version", lambda event: event | {"v": 0}
    yield "another place", lambda event: event | {"seq": event["seq"] + 1}
    for place in event["seen"]:
        yield f"{place[0]} not seen", lambda event, stream=place[0]: event | {"seen": [p for p in event["seen"] if p[0] != stream]}
        yield f"{place[0]} seen twice", lambda event, place=place: event | {"seen": [*event["seen"], event["seen"][0]]}
    if "command" in event:
        yield "no command", lambda event: {name: value for name, value in event.items() if name != "command"}
        yield "a time after the command's", lambda event: event | {"at": event["at"] + 121_000}
        yield "a time before the command's", lambda event: event | {"at": event["at"] - 121_000}
        yield "another signature", lambda event: event | {"command": event["command"][:-4] + other(event["command"][-4]) + event["command"][-3:]}
    else:
        yield "a command that is null", lambda event: event | {"command": None}
    if event["stream"] != "vault" and all(place[0] != "vault" for place in event["seen"]):
        yield "a stranger seen", lambda event: event | {"seen": [*event["seen"], ["vault", 0, genesis]]}
    if event["type"] in ("record.upload-expired.v1", "access.expired.v1"):
        yield "a time before the end", lambda event: event | {"at": 1_795_392_023_000}


def lies_about_genesis(outcome):
    keys, weak = outcome["operators"], "AQ" + "A" * 41
    others = [public for public in THUMBPRINTS.values() if public not in keys]
    for member, value in (("operators", []), ("operators", keys * 2), ("operators", keys + others[:64]), ("operators", [*keys, weak]), ("log_key", weak),
                          ("search_key", weak[:-1]), ("operator_threshold", 2), ("origin", 1), ("origin", "another.example"), ("more", 1)):
        yield f"{member} {str(value)[:20]}", lambda event, member=member, value=value: put(event, "outcome", member, value)
    yield "no log key", lambda event: event["outcome"].pop("log_key") and event
    yield "no clock key", lambda event: event["outcome"].pop("clock_key") and event


def put(event, where, member, value):
    return event | {where: event[where] | {member: value}}


def other(value):
    if isinstance(value, int):
        return value + 1
    if isinstance(value, list):
        return value[:-1]
    return value[:-1] + ("A" if value[-1:] != "A" else "Q")
