"""A whole history: the form of each event, its links, what its stream adds up to, and that it follows from its command or observation."""

import functools
import re

from commands import parse_command
from decisions import Taken, decide, observe
from spelling import Refused, b64url, is_count, is_hash, large_order, members, need, sha, strict_json, thumbprint

MAX_BODY_BYTES = 32_768

STREAMS = {
    "vault": "vault.genesis.v1", "provider": "provider.invited.v1", "staff": "staff.added.v1", "record": "record.created.v1",
    "request": "access.requested.v1", "search": "search.performed.v1",
}
ID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
STREAM = re.compile(rf"vault|(?:provider|staff|record|request)/{ID}|search/{ID}/[0-9]{{8}}/(?:[0-9]|1[0-5])")


@functools.cache
def parse_event(body):
    """A body by itself."""
    need(len(body) <= MAX_BODY_BYTES, "event")
    event = strict_json(body, "event")
    names = ("v", "type", "stream", "seq", "at", "prev", "seen", "nonce", "outcome")
    members(event, names, "event", optional=["command"])
    need(event["v"] == 1 and isinstance(event["type"], str) and is_count(event["seq"]) and is_count(event["at"]), "event")
    need(isinstance(event["stream"], str) and STREAM.fullmatch(event["stream"]) and is_hash(event["prev"]), "event")
    b64url(event["nonce"], 16, "event")
    need(isinstance(event["seen"], list) and isinstance(event["outcome"], dict), "event")
    for seen in event["seen"]:
        need(isinstance(seen, list) and len(seen) == 3 and is_count(seen[1]) and is_hash(seen[2]), "event")
        need(isinstance(seen[0], str) and seen[0] != event["stream"], "event")
    need(len({seen[0] for seen in event["seen"]}) == len(event["seen"]), "event")
    return event | {"command": parse_command(event["command"]) if "command" in event else None, "leaf": sha(b"\0\1" + body).hex()}


def possible(holds):
    need(holds, "impossible")


def begun(event):
    """The state after a stream's first event."""
    type_, outcome, command = event["type"], event["outcome"], event["command"]
    possible(type_ == STREAMS[event["stream"].split("/")[0]])
    if type_ == "vault.genesis.v1":
        members(outcome, ("origin", "log_key", "clock_key", "search_key", "operators", "operator_threshold"), "impossible")
        possible(isinstance(outcome["origin"], str) and isinstance(outcome["operators"], list))
        for key in (outcome["log_key"], outcome["clock_key"], *outcome["operators"]):
            possible(large_order(b64url(key, 32, "impossible")))
        b64url(outcome["search_key"], 32, "impossible")
        return {"operators": {thumbprint(key): key for key in outcome["operators"]}, "auditors": {}}
    possible(command)
    if type_ == "provider.invited.v1":
        return {"status": "invited", **command["own"]}
    if type_ == "record.created.v1":
        return {"owner": outcome.get("owner"), "versions": [version()]}
    if type_ == "access.requested.v1":
        return {**outcome, "kid": command["kid"], "status": "requested"}
    return dict(outcome) if type_ == "staff.added.v1" else {}


def version():
    return {"runs": {}, "uploaded": False}


def goes_on(state, event):
    """The state after an event that is not the first, or `impossible`."""
    kind, (type_, outcome) = event["stream"].split("/")[0], (event["type"], event["outcome"])
    if kind == "vault":
        return goes_on_vault(state, type_, outcome)
    if kind == "provider":
        moves = {"provider.registered.v1": (["invited"], "pending"), "provider.verified.v1": (["pending", "suspended"], "verified"),
                 "provider.suspended.v1": (["pending", "verified"], "suspended")}
        possible(type_ in moves and state["status"] in moves[type_][0])
        return state | {"status": moves[type_][1]}
    if kind == "record":
        return goes_on_record(state, event)
    if kind == "request":
        return goes_on_request(state, type_, outcome)
    possible(kind == "search" and type_ == "search.performed.v1")
    return state


def goes_on_vault(state, type_, outcome):
    possible(re.fullmatch(r"(?:operator|auditor)\.(?:added|removed)\.v1", type_))
    role, what, _ = type_.split(".")
    keys = dict(state[role + "s"])
    if what == "added":
        members(outcome, ["sign_key"], "impossible")
        possible(large_order(b64url(outcome["sign_key"], 32, "impossible")))
        kid = thumbprint(outcome["sign_key"])
        possible(kid not in state["operators"] and kid not in state["auditors"])
        keys[kid] = outcome["sign_key"]
    else:
        possible(isinstance(outcome.get(role), str) and outcome[role] in keys)
        del keys[outcome[role]]
    return state | {role + "s": keys}


def goes_on_record(state, event):
    type_, outcome, command = event["type"], event["outcome"], event["command"]
    versions, number = list(state["versions"]), outcome.get("version")
    if type_ == "record.created.v1":
        possible(number == len(versions) + 1 and outcome.get("owner") == state["owner"])
        return state | {"versions": [*versions, version()]}
    possible(is_count(number, 1, len(versions)))
    at = versions[number - 1]
    runs = dict(at["runs"])
    if type_ in ("key.issued.v1", "record.downloaded.v1"):
        possible("record/%s" % outcome.get("record") == event["stream"])
        return state
    if type_ == "record.announced.v1":
        possible(command and command["typ"] == "record.announce.v1" and is_count(outcome.get("expires_at")))
        possible(("record/%s" % command["record"], command["version"]) == (event["stream"], number))
        runs[event["seq"]] = {"members": command["own"], "expires_at": outcome["expires_at"], "status": "pending"}
        versions[number - 1] = at | {"runs": runs}
        return state | {"versions": versions}
    possible(type_ in ("record.uploaded.v1", "record.upload-expired.v1") and is_count(outcome.get("announced")))
    run = runs.get(outcome["announced"])
    possible(run and run["status"] == "pending")
    uploaded = type_ == "record.uploaded.v1"
    possible(not (uploaded and at["uploaded"]))
    runs[outcome["announced"]] = run | {"status": "uploaded" if uploaded else "expired"}
    versions[number - 1] = {"runs": runs, "uploaded": at["uploaded"] or uploaded}
    return state | {"versions": versions}


def goes_on_request(state, type_, outcome):
    status = state["status"]
    if type_ in ("key.issued.v1", "record.downloaded.v1"):
        possible(status == "approved")
        return state
    over = outcome.get("reason") == "grant-over"
    moves = {
        "access.verified.v1": (["requested"], "verified"), "access.approved.v1": (["verified"], "approved"),
        "access.denied.v1": (["requested", "verified"], "denied"),
        "access.expired.v1": (["approved"], "over") if over else (["requested", "verified"], "undecided"),
    }
    possible(type_ in moves and status in moves[type_][0] and (type_ != "access.approved.v1" or is_count(outcome.get("until"))))
    return state | {"status": moves[type_][1], "until": outcome.get("until", state.get("until"))}


def fold(events):
    """The state after each event, the first of them None: before the stream began."""
    states, taken = [None], {}
    for event in events:
        if event["command"]:
            place = event["command"]["kid"], event["command"]["jti"]
            taken = {place: event["command"]["hash"]} | taken
        state = goes_on(states[-1], event) if states[-1] else begun(event)
        states.append(state | {"taken": taken, "head": event["leaf"]})
    return states


def verify(genesis, streams):
    """The whole history {stream: [body, ...]}, from the one hash that the reader holds. How many events it has."""
    history = {name: [parse_event(body) for body in bodies] for name, bodies in streams.items()}
    need("vault" in history and history["vault"], "link")
    for name, events in history.items():
        need(events, "link")
        prev = "0" * 64
        for seq, event in enumerate(events):
            need((event["stream"], event["seq"], event["prev"]) == (name, seq, prev), "link")
            prev = event["leaf"]
    need(history["vault"][0]["leaf"] == genesis, "link")
    events = [event for stream in history.values() for event in stream]
    for event in events:
        for stream, seq, leaf in event["seen"]:
            need(seq < len(history.get(stream, [])) and history[stream][seq]["leaf"] == leaf, "seen")
    states = {name: fold(stream) for name, stream in history.items()}
    origin = history["vault"][0]["outcome"]["origin"]
    for event in events:
        follows(event, origin, states, history)
    return len(events)


def follows(event, origin, states, history):
    """The event is what its command or observation comes to, with the streams as it has seen them."""
    cut = {stream: seq + 1 for stream, seq, _ in event["seen"]} | {event["stream"]: event["seq"]}
    looked_at = set()

    def view(stream):
        looked_at.add(stream)
        return states[stream][cut[stream]] if stream in cut else None

    try:
        if event["command"]:
            decided = decide(view, origin, event["command"], event["outcome"], event["at"])
        else:
            decided = [observe(view, event)]
    except Taken:
        raise Refused("unsound") from None
    need((event["stream"], event["type"], event["outcome"]) in decided and set(cut) <= looked_at, "unsound")
    for stream, type_, outcome in decided:
        beside = [other["outcome"] for other in history.get(stream, []) if (other["type"], other["command"]) == (type_, event["command"])]
        need(outcome in beside, "unsound")
