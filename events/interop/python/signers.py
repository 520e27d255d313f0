"""What a signer could try: commands that are well signed and must be refused, each with the code that docs/EVENT-LOG.md names for it.

They come at the end of the frozen history, whose keys are made from public seeds: 32 times the same byte. What is beside a code says how far the
streams are cut off, and how much later it is.
"""

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commands import parse_command
from decisions import Taken, decide
from history import fold, parse_event
from spelling import CROCKFORD, L, Refused, thumbprint

NOW = 1_795_392_040_000
LATER = 4_000_000
HASH = "0" * 64


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def ulid(ms, count):
    return "".join(CROCKFORD[(ms << 80 | count) >> shift & 31] for shift in range(125, -1, -5))


# Every key that a frozen signer may have, by public key; and those of operators by `kid`.
KEYS = {encoded(key.public_key().public_bytes_raw()): key for key in (Ed25519PrivateKey.from_private_bytes(bytes([byte]) * 32) for byte in range(256))}
THUMBPRINTS = {thumbprint(public): public for public in KEYS}


def sign(key, header, payload):
    message = encoded(header.encode()) + "." + encoded(payload.encode())
    return message + "." + encoded(KEYS[key].sign(message.encode()))


class World:
    """The end of the frozen history, and whoever has a key in it."""

    def __init__(self, streams):
        self.bodies = streams
        self.events = {name: [parse_event(body) for body in bodies] for name, bodies in streams.items()}
        self.states = {name: fold(events) for name, events in self.events.items()}
        self.origin, self.count = self.events["vault"][0]["outcome"]["origin"], 0
        self.operator = next(iter(self.states["vault"][-1]["operators"].items()))
        # Of each provider its one person: (kid, key, provider).
        self.people = [(name[6:], states[-1]["sign_key"], states[-1]["provider"]) for name, states in self.states.items() if name[:6] == "staff/"]

    def jws(self, key, kid, typ, private=(), **own):
        """Signed now, if `own` says nothing else."""
        self.count += 1
        payload = {"typ": typ, "aud": self.origin, "iat": NOW // 1000, "jti": ulid(NOW, self.count)}
        payload["private"] = private if isinstance(private, dict) else dict.fromkeys(private, HASH)
        return sign(key, json.dumps({"alg": "EdDSA", "kid": kid, "typ": "chartseal-command+jws"}), json.dumps(payload | own))

    def of_operator(self, typ, private=(), **own):
        kid, key = self.operator
        return self.jws(key, kid, typ, private, **own)

    def of(self, person, typ, private=(), **own):
        kid, key, provider = person
        return self.jws(key, kid, typ, private, **{"act": provider} | own)

    def sent(self, stream, seq):
        """The command of an event, as it was sent."""
        return json.loads(self.bodies[stream][seq])["command"]

    def code(self, jws, cut=None, later_ms=0, expires_in_ms=1, instead=None):
        """What decides it; with the streams of `cut` at so many events, and `instead` of what some of them add up to."""

        def view(stream):
            states = self.states.get(stream, [None])
            state = states[(cut or {}).get(stream, len(states) - 1)]
            return state | instead[stream] if stream in (instead or {}) else state

        now = NOW + later_ms
        facts = {"wrapped_sha256": HASH, "hits": 0, "expires_at": now + expires_in_ms}
        try:
            return " ".join(event[1] for event in decide(view, self.origin, parse_command(jws), facts, now))
        except Taken:
            return "taken"
        except Refused as refused:
            return str(refused)


def cases(world):
    """(wanted, jws, how): `how` are the arguments of World.code."""
    yield from of_everybody(world)
    yield from of_repetition(world)
    yield from of_spelling(world)
    yield from of_signatures(world)
    yield from of_operators(world)
    yield from of_registration(world)
    yield from of_records(world)
    yield from of_requests(world)


def of_everybody(world):
    (kid, key, provider), (_, other_key, other_provider), third = world.people
    create = {"typ": "record.create.v1"}
    yield "record.created.v1", world.of(third, **create), {}
    yield "wrong-audience", world.of(third, **create, aud="other.example"), {}
    yield "clock-skew", world.of(third, **create, iat=NOW // 1000 - 121, jti=ulid(NOW - 121_000, 1)), {}
    yield "clock-skew", world.of(third, **create, iat=NOW // 1000 + 121, jti=ulid(NOW + 121_000, 1)), {}
    yield "record.created.v1", world.of(third, **create, iat=NOW // 1000 - 120, jti=ulid(NOW - 240_000, 1)), {}
    yield "bad-jti", world.of(third, **create, jti=ulid(NOW - 120_001, 1)), {}
    yield "bad-jti", world.of(third, **create, jti=ulid(NOW + 120_001, 1)), {}
    yield "signature-invalid", world.jws(other_key, kid, act=provider, **create), {}
    yield "unknown-signer", world.jws(key, ulid(NOW, 0), act=provider, **create), {}
    yield "unknown-signer", world.jws(key, kid, act=provider, **create), {"cut": {f"staff/{kid}": 0}}
    yield "not-member", world.jws(key, kid, act=other_provider, **create), {}
    yield "malformed-command", world.jws(key, kid, **create), {}
    yield "malformed-command", world.jws(key, thumbprint(key), act=provider, **create), {}
    yield "unknown-signer", world.jws(key, thumbprint(key), **create), {}
    yield "not-member", world.of_operator(**create), {}
    yield "not-operator", world.of(third, "operator.add.v1", sign_key=key), {}
    yield "provider-pending", world.of(third, **create), {"cut": {f"provider/{third[2]}": 2}}
    yield "provider-suspended", world.of(world.people[1], **create), {}
    yield "search.performed.v1", world.of(third, "search.perform.v1", ["query"]), {}
    for private in ({}, {"query": HASH.upper() + "A"}, {"query": "A" * 64}, {"query": HASH, "label": HASH}):
        yield "malformed-command", world.jws(third[1], third[0], "search.perform.v1", private, act=third[2]), {}


def of_repetition(world):
    """Sent again as it was, and another command with the same jti, on the stream that took it."""
    suspended = f"provider/{world.people[1][2]}"
    for stream, events in world.events.items():
        for seq, event in enumerate(events):
            # What a grant released is decided anew, and all grants are over.
            if event["command"] and event["command"]["typ"] not in ("key.issue.v1", "request.download.v1"):
                yield "taken", world.sent(stream, seq), {"cut": {} if stream == suspended else {suspended: 3}}
    kid, key, provider = world.people[0]
    stream = next(name for name, states in world.states.items() if name[:7] == "record/" and states[-1]["owner"] == provider)
    for wanted, jti in (("jti-reused", world.events[stream][3]["command"]["jti"]), ("key.issued.v1", ulid(NOW, 9))):
        yield wanted, world.of((kid, key, provider), "record.key.v1", record=stream[7:], version=2, jti=jti), {}
    create = world.events[stream][0]["command"]
    yield "jti-reused", world.of((kid, key, provider), "record.create.v1", jti=create["jti"]), {}


def of_spelling(world):
    """What is signed well, and spelled otherwise than the one way."""
    (kid, key, provider), typ = world.people[2], "chartseal-command+jws"
    header = {"alg": "EdDSA", "kid": kid, "typ": typ}

    def spelled(header=header, text=None, **own):
        world.count += 1
        payload = {"typ": "record.create.v1", "aud": world.origin, "iat": NOW // 1000, "jti": ulid(NOW, world.count), "private": {}, "act": provider}
        payload = json.dumps(payload | own)
        return sign(key, json.dumps(header), text(payload) if text else payload)

    yield "record.created.v1", spelled(text=lambda text: f" {text}\n"), {}
    yield "record.created.v1", spelled(text=lambda text: text.replace('"iat"', '"\\u0069at"')), {}
    for bad in (["EdDSA", kid, typ], ["none", kid, typ], header | {"alg": None}, header | {"alg": 1}, {"kid": kid, "typ": typ},
                header | {"kid": kid.lower()}, header | {"kid": "A" * 44}, header | {"typ": "JWT"}):
        yield "malformed-command", spelled(bad), {}
    yield "bad-algorithm", spelled(header | {"alg": "none", "typ": "JWT"}), {}
    for own in ({"act": provider.lower()}, {"act": None}, {"iat": None}, {"private": []}, {"private": None}, {"aud": 1}, {"jti": "8" + "0" * 25}, {"typ": ["record.create.v1"]}):
        yield "malformed-command", spelled(**own), {}
    number = f'"iat": {NOW // 1000}'
    for instead in (number + ".0", number[:-1] + "e1", number.replace(": ", ": -"), number.replace(": ", ": 0"), number.replace(": ", ": +"),
                    f'"iat": {1 << 64}', f'"\\u0069at": 1, {number}'):
        yield "malformed-command", spelled(text=lambda text, instead=instead: text.replace(number, instead)), {}
    for change in ("\ufeff{}", "[{}]", "{}x", "\f{}"):
        yield "malformed-command", spelled(text=lambda text, change=change: change.format(text)), {}
    yield "malformed-command", spelled(text=lambda text: text.replace(world.origin, "\\ud800")), {}
    yield "malformed-command", spelled(text=lambda text: text[:-1] + ",}"), {}
    yield "malformed-command", spelled(text=lambda text: " " * 12_288 + text), {}
    good = spelled()
    for bad in (good + "=", good + "\n", " " + good, good[:-1] + chr(ord(good[-1]) + 1), good[:-2], good.rpartition(".")[0] + "."):
        yield "malformed-command", bad, {}


def of_signatures(world):
    """Two that the equation of RFC 8032 holds for: S in another spelling, and an R of small order."""
    person = world.people[2]
    message, _, signature = world.of(person, "record.create.v1").rpartition(".")
    point, scalar = signature_parts(signature)
    yield "signature-invalid", f"{message}.{encoded(point + (scalar + L).to_bytes(32, 'little'))}", {}
    seed = KEYS[person[1]].private_bytes_raw()
    secret = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little") & (1 << 254) - 8 | 1 << 254
    for small in ("01" + "00" * 31, "01" + "00" * 30 + "80"):
        point = bytes.fromhex(small)
        public = KEYS[person[1]].public_key().public_bytes_raw()
        challenge = int.from_bytes(hashlib.sha512(point + public + message.encode()).digest(), "little")
        yield "signature-invalid", f"{message}.{encoded(point + (challenge * secret % L).to_bytes(32, 'little'))}", {}


def signature_parts(text):
    data = base64.urlsafe_b64decode(text + "==")
    return data[:32], int.from_bytes(data[32:], "little")


def of_operators(world):
    kid, key = world.operator
    new = world.people[0][1]
    yield "operator.added.v1", world.of_operator("operator.add.v1", sign_key=new), {}
    many = [[kid, key], *([byte, byte] for byte in range(62))]
    for wanted, operators in (("operator.added.v1", many), ("bad-field", [*many, [62, 62]])):
        yield wanted, world.of_operator("operator.add.v1", sign_key=new), {"instead": {"vault": {"operators": dict(operators)}}}
    auditor = {"instead": {"vault": {"auditors": {thumbprint(new): new}}}}
    yield "auditor-exists", world.of_operator("operator.add.v1", sign_key=new), auditor
    yield "auditor-exists", world.of_operator("auditor.add.v1", sign_key=new), auditor
    yield "operator-exists", world.of_operator("auditor.add.v1", sign_key=key), auditor
    yield "auditor.removed.v1", world.of_operator("auditor.remove.v1", ["reason"], auditor=thumbprint(new)), auditor
    yield "not-found", world.of_operator("auditor.remove.v1", ["reason"], auditor=kid), auditor
    for typ in ("operator.add.v1", "auditor.add.v1"):
        yield "not-operator", world.jws(new, thumbprint(new), typ, sign_key=next(iter(KEYS))), auditor
    yield "not-operator", world.jws(new, thumbprint(new), "auditor.remove.v1", ["reason"], auditor=thumbprint(new)), auditor
    yield "not-member", world.jws(new, thumbprint(new), "record.create.v1"), auditor
    for wanted, auditors in (("auditor.added.v1", 63), ("bad-field", 64)):
        yield wanted, world.of_operator("auditor.add.v1", sign_key=new), {"instead": {"vault": {"auditors": dict.fromkeys(range(auditors))}}}
    yield "operator-exists", world.of_operator("operator.add.v1", sign_key=key), {}
    # The neutral point and its other spelling; a point of order 8; a y that is no point's; a good point, y = 3, and its other spelling, y = p + 3.
    yield "operator.added.v1", world.of_operator("operator.add.v1", sign_key=encoded(bytes.fromhex("03" + "00" * 31))), {}
    for weak in ("01" + "00" * 31, "ee" + "ff" * 30 + "7f", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "02" + "00" * 31,
                 "f0" + "ff" * 30 + "7f"):
        yield "bad-field", world.of_operator("operator.add.v1", sign_key=encoded(bytes.fromhex(weak))), {}
    yield "not-found", world.of_operator("operator.remove.v1", ["reason"], operator=thumbprint(new)), {}
    yield "last-operator", world.of_operator("operator.remove.v1", ["reason"], operator=kid), {}
    yield "operator.removed.v1", world.of_operator("operator.remove.v1", ["reason"], operator=kid), {"cut": {"vault": 2}}
    month_ms = 30 * 86_400_000
    for wanted, expires_at in (("provider.invited.v1", month_ms), ("bad-field", month_ms + 1), ("bad-field", 0), ("provider.invited.v1", 1)):
        yield wanted, world.of_operator("provider.invite.v1", code_hash=HASH, expires_at=NOW + expires_at), {}
    person = world.people[2]
    yield "not-operator", world.of(person, "operator.remove.v1", ["reason"], operator=kid), {}
    yield "not-operator", world.of(person, "provider.invite.v1", code_hash=HASH, expires_at=NOW + 1), {}
    yield "not-operator", world.of(person, "provider.suspend.v1", ["reason"], provider=person[2]), {}
    provider = f"provider/{person[2]}"
    about = {"provider": world.people[2][2]}
    heads = [HASH, *(event["leaf"] for event in world.events[provider])]
    yield "already-verified", world.of_operator("provider.verify.v1", head=heads[-1], **about), {}
    yield "head-moved", world.of_operator("provider.verify.v1", head=heads[1], **about), {"cut": {provider: 2}}
    yield "provider.verified.v1", world.of_operator("provider.verify.v1", head=heads[2], **about), {"cut": {provider: 2}}
    yield "not-registered", world.of_operator("provider.verify.v1", head=heads[1], **about), {"cut": {provider: 1}}
    yield "not-found", world.of_operator("provider.verify.v1", head=HASH, **about), {"cut": {provider: 0}}
    yield "not-registered", world.of_operator("provider.suspend.v1", ["reason"], **about), {"cut": {provider: 1}}
    yield "already-suspended", world.of_operator("provider.suspend.v1", ["reason"], provider=world.people[1][2]), {}
    suspended = world.events[f"provider/{world.people[1][2]}"][-1]["leaf"]
    yield "provider.verified.v1", world.of_operator("provider.verify.v1", head=suspended, provider=world.people[1][2]), {}


def of_registration(world):
    key = next(iter(KEYS))
    provider, private = world.people[2][2], ["organisation", "name", "phone"]
    invited = {"cut": {f"provider/{provider}": 1}}

    def register(kid=thumbprint(key), by=key, **own):
        given = {"provider": provider, "code": encoded(b"\5" * 16), "sign_key": key, "seal_key": encoded(b"\1" * 32)}
        return world.jws(by, kid, "provider.register.v1", private, **given | own)

    yield "provider.registered.v1 staff.added.v1", register(), invited
    yield "invitation-used", register(), {}
    yield "wrong-code", register(code=encoded(b"\6" * 16)), {}
    yield "invitation-expired", register(iat=NOW // 1000 + 86_400, jti=ulid(NOW + 86_400_000, 7)), invited | {"later_ms": 86_400_000}
    yield "not-found", register(), {"cut": {f"provider/{provider}": 0}}
    yield "unknown-signer", register(sign_key=world.people[0][1]), invited
    yield "unknown-signer", register(world.operator[0]), invited
    kid, person_key, act = world.people[0]
    # Registered before, elsewhere and under the same jti: the new person's stream would be the old one.
    before = world.events[f"provider/{act}"][1]["command"]["jti"]
    yield "jti-reused", register(thumbprint(person_key), person_key, sign_key=person_key, jti=before), invited
    given = {"provider": provider, "code": encoded(b"\5" * 16), "sign_key": key, "seal_key": encoded(b"\1" * 32)}
    yield "unknown-signer", world.jws(person_key, kid, "provider.register.v1", private, act=act, **given), invited
    yield "bad-field", register(seal_key=encoded(bytes(32))), invited


def of_records(world):
    owner, _, third = world.people
    record = next(name[7:] for name, states in world.states.items() if name[:7] == "record/" and states[-1]["owner"] == owner[2])
    stream, about = f"record/{record}", {"record": record}
    run = world.states[stream][-1]["versions"][1]["runs"][6]["members"]
    announce = {"typ": "record.announce.v1", "private": ["tokens"]}
    yield "record.created.v1", world.of(owner, "record.version.v1", **about), {}
    yield "not-found", world.of(third, "record.version.v1", **about), {}
    versions = world.states[stream][-1]["versions"]
    for wanted, count in (("record.created.v1", 999), ("too-many-versions", 1000)):
        yield wanted, world.of(owner, "record.version.v1", **about), {"instead": {stream: {"versions": versions[:1] * count}}}
    for wanted, count in (("record.announced.v1", 15), ("too-many-announcements", 16)):
        runs = {"runs": {seq: versions[1]["runs"][6] for seq in range(count)}, "uploaded": False}
        again = world.of(owner, "record.announce.v1", ["tokens"], **versions[1]["runs"][6]["members"])
        yield wanted, again, {"instead": {stream: {"versions": [versions[0], runs]}}}
    yield "version-open", world.of(owner, "record.version.v1", **about), {"cut": {stream: 7}}
    yield "record.created.v1", world.of(owner, "record.version.v1", **about), {"cut": {stream: 6}}
    yield "record.announced.v1", world.of(owner, **announce, **run), {}
    yield "taken", world.of(owner, **announce, **run), {"cut": {stream: 7}}
    yield "record.announced.v1", world.of(owner, **announce, **run | {"message_id": "A" * 43}), {"cut": {stream: 7}}
    for member, value in {"media_type": "text/csv", "body_bytes": 999, "frame_bytes": 131_072, "frames_root": HASH}.items():
        yield "bad-field", world.of(owner, **announce, **run | {member: value}), {}
    for member, value in (("body_bytes", 39), ("body_bytes", 40 + 65_537), ("frame_bytes", 65_537), ("frame_bytes", 1 << 21), ("suite", "0578"),
                          ("media_type", "Text/plain"), ("media_type", "text/plain;a=b"), ("media_type", "text"), ("version", 1001), ("version", 0)):
        yield "bad-field", world.of(owner, **announce, **run | {member: value, "message_id": "A" * 43}), {}
    for wanted, body_bytes in (("record.announced.v1", 671_088_640_000), ("upload-too-large", 671_088_640_001)):
        yield wanted, world.of(owner, **announce, **run | {"body_bytes": body_bytes, "message_id": "A" * 43}), {}
    yield "version-uploaded", world.of(owner, **announce, **run | {"version": 1}), {}
    yield "not-found", world.of(owner, **announce, **run | {"version": 3}), {}
    yield "unsound", world.of(owner, **announce, **run), {"expires_in_ms": 0}
    yield "unsound", world.of(owner, **announce, **run), {"expires_in_ms": 86_400_001}
    yield "key.issued.v1", world.of(owner, "record.key.v1", **about, version=2), {}
    yield "not-found", world.of(owner, "record.key.v1", **about, version=3), {}
    yield "not-uploaded", world.of(owner, "record.download.v1", **about, version=2), {}
    yield "not-found", world.of(third, "record.download.v1", **about, version=1), {}


def of_requests(world):
    owner, asker, third = world.people
    by = {states[-1]["status"]: name for name, states in world.states.items() if name[:8] == "request/"}
    for wanted, status, cut in (("request-expired", "undecided", {}), ("already-decided", "denied", {}), ("already-decided", "over", {}),
                                ("request-not-verified", "verified", 1), ("head-moved", "verified", {}), ("not-found", "verified", 0)):
        approve = world.of_operator("access.approve.v1", request=by[status][8:], head=HASH)
        yield wanted, approve, {"cut": {by[status]: cut} if cut != {} else {}}
    open_ = by["verified"]
    about, head = {"request": open_[8:]}, world.events[open_][-1]["leaf"]
    yield "access.approved.v1", world.of_operator("access.approve.v1", **about, head=head), {}
    asker_key = world.people[0][1]
    as_both = world.jws(asker_key, thumbprint(asker_key), "access.approve.v1", **about, head=head)
    yield "approver-is-requester", as_both, {"instead": {"vault": {"operators": {thumbprint(asker_key): asker_key}}}}
    first = world.events[open_][0]["leaf"]
    yield "access.denied.v1", world.of_operator("access.deny.v1", ["reason"], **about, head=first), {"cut": {open_: 1}}
    late = {"iat": (NOW + LATER) // 1000, "jti": ulid(NOW + LATER, 1)}
    yield "request-expired", world.of_operator("access.approve.v1", **about, head=head, **late), {"later_ms": LATER}
    yield "not-operator", world.of(owner, "access.approve.v1", **about, head=head), {}
    yield from of_access(world, by, owner, asker, third)


def of_access(world, by, owner, asker, third):
    granted = world.states[by["over"]][-1]
    record, request = granted["record"], by["over"]
    ask = {"typ": "access.request.v1", "private": ["justification"], "record": record, "version": 1, "purpose": "TREAT", "grant_seconds": 60}
    yield "access.requested.v1", world.of(third, **ask), {}
    yield "own-record", world.of(owner, **ask), {}
    yield "own-record", world.of(owner, **ask | {"version": 2}), {}
    yield "not-found", world.of(owner, **ask | {"version": 3}), {}
    yield "not-found", world.of(third, **ask | {"version": 2}), {}
    yield "malformed-command", world.of(third, **ask | {"purpose": "FUN"}), {}
    yield "not-found", world.of(third, **ask | {"record": ulid(NOW, 1)}), {}
    for member, value in (("grant_seconds", 59), ("grant_seconds", 25_920_001), ("version", 1001)):
        yield "bad-field", world.of(third, **ask | {member: value}), {}
    yield "unsound", world.of(third, **ask), {"expires_in_ms": 30 * 86_400_000 + 1}
    # The asker's provider is suspended at the end; before, it was verified.
    live, about = {f"provider/{asker[2]}": 3}, {"request": request[8:], "record": record}
    for typ, event in (("key.issue.v1", "key.issued.v1"), ("request.download.v1", "record.downloaded.v1")):
        yield event, world.of(asker, typ, **about), {"cut": live | {request: 3}}
        seq = {"key.issue.v1": 3, "request.download.v1": 4}[typ]
        before = world.events[request][seq]["command"]
        yield "taken", world.sent(request, seq), {"cut": live | {request: 5}}
        yield "jti-reused", world.of(asker, typ, **about, jti=before["jti"]), {"cut": live | {request: 5}}
        yield "provider-suspended", world.of(asker, typ, **about), {"cut": {request: 3}}
        yield "not-found", world.of(third, typ, **about), {"cut": {request: 3}}
        yield "not-found", world.of(asker, typ, **about | {"record": ulid(NOW, 1)}), {"cut": live | {request: 3}}
        yield "not-approved", world.of(asker, typ, **about), {"cut": live | {request: 2}}
        yield "grant-over", world.of(asker, typ, **about), {"cut": live}
        late = {"iat": (NOW + LATER) // 1000, "jti": ulid(NOW + LATER, 1)}
        yield "grant-over", world.of(asker, typ, **about, **late), {"cut": live | {request: 3}, "later_ms": LATER}
        for wanted, status in (("request-denied", "denied"), ("request-expired", "undecided")):
            yield wanted, world.of(asker, typ, **about | {"request": by[status][8:]}), {"cut": live}
