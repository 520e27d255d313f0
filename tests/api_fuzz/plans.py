"""Commands as plans: what the fuzzer makes up instead of a signed body, and the body that comes of it.

A plan says who signs, which good command to start from, which of its fields and private values are others, and what else is wrong with it. So most
commands are good but for one thing or two, and the code behind every check is reached. `COMMANDS` names every operation that takes a command; the
hooks refuse to start where the document has another one.
"""

import hashlib
import json
import secrets
import time

import signing

ULID = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"
HASH = {"anyOf": [{"type": "string", "pattern": "^[0-9a-f]{64}$"}, {"type": "string"}]}
BYTES_32 = {"anyOf": [{"type": "string", "pattern": "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"}, {"type": "string"}]}
BYTES_16 = {"anyOf": [{"type": "string", "pattern": "^[A-Za-z0-9_-]{21}[AQgw]$"}, {"type": "string"}]}
NUMBER = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 2000}, {"type": "integer", "minimum": 0, "maximum": 2**64 - 1}, {"type": "integer"}]}
TEXT = {"anyOf": [{"type": "string", "maxLength": 40}, {"type": "string", "minLength": 900, "maxLength": 2100}]}
PURPOSE = {"anyOf": [{"enum": ["TREAT", "ETREAT", "HPAYMT", "HRESCH", "PUBHLTH"]}, {"type": "string"}]}

# Signed by the right one, by these, and by a key that nobody knows.
SIGNERS = ("owner", "stranger", "asker", "grantee", "pending", "operator", "auditor", None)
RIGHT_SIGNERS = 10
# What is wrong with a command beside its fields. The rest of the numbers are no flaw.
FLAWS = (
    "iat-past", "iat-future", "jti-other-time", "jti-no-ulid", "aud", "salt", "value", "no-private", "alg", "crit", "kid", "typ", "other-typ",
    "signature", "no-act", "other-act", "more", "twice", "no-commitments", "huge", "nested", "not-json", "no-jws", "no-header", "header",
    # The last one is a boundary, which the coverage phase always tries.
    "oversized",
)
FLAWLESS = 30
# One of them: the operation's command before is sent once more, byte for byte.
REPEATED = 1
# The vault's limit (events/src/limits.rs).
MAX_BODY_BYTES = 64 * 1024


class Cast:
    """What the harness made, and what came of commands since."""

    def __init__(self, given):
        self.given = given
        self.origin = given["origin"]
        self.wallets = {name: signing.Wallet.of(one) for name, one in given["wallets"].items()}
        self.invitations = list(given["invitations"])
        self.created = []
        self.head_of = lambda kind, name: "0" * 64
        self.last = {}

    def wallet(self, name):
        return self.wallets[name] if name else signing.Wallet.new()

    def pick(self, kind, index):
        pool = self.given[kind]
        return pool[index % len(pool)]


def ids(*pools):
    known = sorted({one for pool in pools for one in pool})
    return {"anyOf": [{"enum": known}, {"type": "string", "pattern": ULID}, {"type": "string", "maxLength": 60}]}


def in_an_hour():
    return int(time.time() * 1000) + 3_600_000


def operator_key(_cast, _index):
    return {"sign_key": signing.base64url(signing.public(signing.Wallet.new().key))}


def registration(cast, index):
    """A registration on the next invitation, or on a used one."""
    invitation = cast.invitations.pop() if cast.invitations and index else cast.given["invitations"][0]
    wallet = signing.Wallet.new()
    own = {"sign_key": signing.base64url(signing.public(wallet.key)), "seal_key": signing.base64url(secrets.token_bytes(32))}
    return invitation | own | {"wallet": wallet}


def decision(kind, name, pool):
    def base(cast, index):
        chosen = cast.pick(pool, index)
        return {name: chosen, "head": cast.head_of(kind, chosen)}

    return base


def draft(cast, index):
    return dict(cast.pick("drafts", index)["announcement"])


def commands(cast):
    """Each operation: command type, who may, which good payload to start from, fields, private fields (a star: needed), the field its path names."""
    given = cast.given
    record = ids(given["records"], given["own_records"])
    request = ids(given["to_approve"], given["to_deny"], [grant["request"] for grant in given["grants"]])
    provider = ids(given["victims"])
    version = {"version": NUMBER}
    own = lambda more: lambda cast, index: {"record": cast.pick("own_records", index)} | more
    grant = lambda cast, index: dict(cast.pick("grants", index))
    about_record = {"record": record}
    announced = about_record | version | {
        "media_type": {"type": "string", "maxLength": 300}, "suite": {"anyOf": [{"enum": ["0478", "0578"]}, {"type": "string"}]},
        "message_id": BYTES_32, "commitment": BYTES_32, "frame_bytes": NUMBER, "body_bytes": NUMBER, "frames_root": HASH, "parts_root": HASH,
    }
    asked = lambda cast, index: {"record": cast.pick("records", index), "version": 1, "purpose": "TREAT", "grant_seconds": 3_600}
    query = json.dumps({"any": [[signing.base64url(bytes([7] * 32))]]})
    tokens = signing.base64url(bytes([7] * 32))
    return {
        "POST /invitations": ("provider.invite.v1", "operator", lambda *_: {"code_hash": hashlib.sha256(b"").hexdigest(), "expires_at": in_an_hour()},
                              {"code_hash": HASH, "expires_at": NUMBER}, {"note": "x"}, None),
        "POST /operators": ("operator.add.v1", "operator", operator_key, {"sign_key": BYTES_32}, {}, None),
        "POST /operators/{kid}/remove": ("operator.remove.v1", "operator", lambda cast, index: {"operator": cast.pick("operators", index)},
                                         {"operator": BYTES_32}, {"*reason": "x"}, "operator"),
        "POST /auditors": ("auditor.add.v1", "operator", operator_key, {"sign_key": BYTES_32}, {}, None),
        "POST /auditors/{kid}/remove": ("auditor.remove.v1", "operator", lambda cast, index: {"auditor": cast.pick("auditors", index)},
                                        {"auditor": BYTES_32}, {"*reason": "x"}, "auditor"),
        "POST /providers": ("provider.register.v1", None, registration, {"provider": provider, "code": BYTES_16, "sign_key": BYTES_32, "seal_key": BYTES_32},
                            {"*organisation": "St. Nova", "*name": "Doctor", "*phone": "+43 1 1", "email": "a@b.example"}, None),
        "POST /providers/{id}/verify": ("provider.verify.v1", "operator", decision("provider", "provider", "victims"), {"provider": provider, "head": HASH},
                                        {"note": "x"}, "provider"),
        "POST /providers/{id}/suspend": ("provider.suspend.v1", "operator", lambda cast, index: {"provider": cast.pick("victims", index)},
                                         {"provider": provider}, {"*reason": "x"}, "provider"),
        "POST /records": ("record.create.v1", "owner", lambda *_: {}, {}, {}, None),
        "POST /records/{id}/versions": ("record.version.v1", "owner", own({}), about_record, {}, "record"),
        "POST /records/{id}/upload": ("record.announce.v1", "owner", draft, announced, {"*tokens": tokens, "label": "x"}, "record"),
        "POST /records/{id}/key": ("record.key.v1", "owner", own({"version": 1}), about_record | version, {}, "record"),
        "POST /records/{id}/download": ("record.download.v1", "owner", own({"version": 1}), about_record | version, {}, "record"),
        "POST /records/{id}/requests": ("access.request.v1", "stranger", asked,
                                        about_record | version | {"purpose": PURPOSE, "grant_seconds": NUMBER}, {"*justification": "x"}, "record"),
        "POST /requests/{id}/approve": ("access.approve.v1", "operator", decision("request", "request", "to_approve"),
                                        {"request": request, "head": HASH}, {"comment": "x"}, "request"),
        "POST /requests/{id}/deny": ("access.deny.v1", "operator", decision("request", "request", "to_deny"),
                                     {"request": request, "head": HASH}, {"*reason": "x"}, "request"),
        "POST /requests/{id}/key": ("key.issue.v1", "grantee", grant, {"request": request, "record": record}, {}, "request"),
        "POST /requests/{id}/download": ("request.download.v1", "grantee", grant, {"request": request, "record": record}, {}, "request"),
        "POST /search": ("search.perform.v1", "stranger", lambda *_: {}, {}, {"*query": query}, None),
    }


def number(most):
    return {"type": "integer", "minimum": 0, "maximum": most}


def schema(command):
    """What the fuzzer makes up for an operation."""
    _, _, _, fields, private, _ = command
    values = {name.lstrip("*"): TEXT for name in private}
    if "query" in values:
        word = {"anyOf": [{"type": "string", "pattern": "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"}, {"type": "string", "maxLength": 50}]}
        values["query"] = {"anyOf": [{"type": "object", "properties": {"any": {"type": "array", "items": {"type": "array", "items": word}}}}, TEXT]}
    loose = lambda properties: {"type": "object", "additionalProperties": False, "maxProperties": 2, "properties": properties}
    properties = {
        "signer": number(RIGHT_SIGNERS + len(SIGNERS) - 1), "base": number(15), "change": loose(fields), "private": loose(values),
        "flaw": number(FLAWLESS + len(FLAWS) - 1), "aim": number(7), "text": {"type": "string"},
    }
    return {"type": "object", "additionalProperties": False, "required": sorted(set(properties) - {"text"}), "properties": properties}


def is_plan(body):
    return isinstance(body, dict) and {"signer", "base", "change"} <= set(body)


def small(value):
    """A plan's number; the fuzzer puts anything in its place."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def carry_out(plan, name, command, cast):
    """(body, what the path should name or None) of a plan."""
    typ, right, base, _, private, aimed = command
    payload = base(cast, small(plan.get("base")))
    signer = small(plan.get("signer")) - RIGHT_SIGNERS
    wallet = payload.pop("wallet", None) or cast.wallet(right)
    if 0 <= signer < len(SIGNERS):
        wallet = cast.wallet(SIGNERS[signer])
    change = plan.get("change")
    payload |= change if isinstance(change, dict) else {"change": change}
    values = {field.lstrip("*"): value for field, value in private.items() if field.startswith("*")}
    drafted = cast.pick("drafts", small(plan.get("base"))) if name.endswith("/upload") else None
    if isinstance(plan.get("private"), dict):
        values |= {field: value if isinstance(value, str) else json.dumps(value) for field, value in plan["private"].items()}
    flaw = small(plan.get("flaw")) - FLAWLESS
    flaw = FLAWS[flaw] if 0 <= flaw < len(FLAWS) else None
    body = signed(wallet, typ, payload, values, flaw, cast)
    text = plan.get("text", "")
    if drafted and flaw != "no-header":
        body["header"] = drafted["header"]
    if flaw == "header":
        body["header"] = text
    if flaw == "no-jws":
        body["command"] = text
    target = payload.get(aimed) if aimed and small(plan.get("aim")) < 7 else None
    if small(plan.get("flaw")) == REPEATED and name in cast.last:
        return cast.last[name]
    cast.last[name] = body, target
    return body, target


def signed(wallet, typ, payload, values, flaw, cast):
    now = int(time.time())
    part, commitments = signing.private_part(values)
    claims = {"typ": typ, "aud": cast.origin, "iat": now, "jti": signing.ulid(), "private": commitments}
    if wallet.act:
        claims["act"] = wallet.act
    first = next(iter(part.values()), None)
    match flaw:
        case "iat-past": claims["iat"] = now - 600
        case "iat-future": claims["iat"] = now + 600
        case "jti-other-time": claims["jti"] = signing.ulid(1)
        case "jti-no-ulid": claims["jti"] = claims["jti"].lower()
        case "aud": claims["aud"] = "another.vault"
        case "other-typ": claims["typ"] = "record.create.v1" if typ != "record.create.v1" else "search.perform.v1"
        case "no-act": claims.pop("act", None)
        case "other-act": claims["act"] = cast.given["victims"][0]
        case "more": claims["more"] = 1
        case "no-commitments": claims["private"] = {}
        case "huge": claims["more"] = "x" * 20_000
        case "nested": claims["more"] = json.loads("[" * 200 + "]" * 200)
        case "salt" if first: first["salt"] = signing.base64url(bytes(16))
        case "value" if first: first["value"] += "x"
        case "no-private": part = {}
        case "oversized": part["more"] = {"salt": signing.base64url(bytes(16)), "value": "x" * MAX_BODY_BYTES}
    payload_bytes = signing.dumps(claims | payload)
    if flaw == "twice":
        payload_bytes = payload_bytes.replace(b'{"', b'{"typ":"x","', 1)
    if flaw == "not-json":
        payload_bytes = payload_bytes[:-1] + b"\xff"
    header = {"alg": {"alg": "none"}, "crit": {"crit": ["b64"]}, "kid": {"kid": signing.ulid()}, "typ": {"typ": signing.READ}}.get(flaw)
    return {"command": wallet.sign(signing.COMMAND, payload_bytes, header, spoil=flaw == "signature"), "private": part}
