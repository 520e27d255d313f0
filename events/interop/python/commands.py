"""A signed command by itself: how each member is spelled (else malformed-command), and its bounds (else bad-field).

Whether its signer may, and whether it fits the state: decisions.py.
"""

import functools
import re

from spelling import MAX_SMALL, b64url, is_count, is_hash, is_ulid, large_order, members, need, sha, strict_json

MAX_COMMAND_BYTES, MAX_RECORD_BYTES = 16_384, 671_088_640_000
PURPOSES = "TREAT CAREMGT COC ETREAT BTG HPAYMT HOPERAT HRESCH PATRQT PUBHLTH HLEGAL".split()


def spelled(length):
    def check(value):
        b64url(value, length, "malformed-command")
        return True

    return check


def is_text(value):
    return isinstance(value, str)


def is_small(value):
    return is_count(value, most=MAX_SMALL)


SPELLING = {name: spelled(32) for name in ("operator", "auditor", "sign_key", "seal_key", "message_id", "commitment")}
SPELLING |= {name: is_hash for name in ("code_hash", "head", "frames_root", "parts_root")}
SPELLING |= {name: is_ulid for name in ("provider", "record", "request")}
SPELLING |= {name: is_count for name in ("expires_at", "body_bytes", "grant_seconds")}
SPELLING |= {name: is_small for name in ("version", "frame_bytes")} | {name: is_text for name in ("media_type", "suite")}
SPELLING |= {"code": spelled(16), "purpose": lambda purpose: is_text(purpose) and purpose in PURPOSES}

NAME = "[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
BOUNDS = {
    "sign_key": lambda key: large_order(b64url(key, 32, "bad-field")),
    "seal_key": lambda key: key != "A" * 43,
    "version": lambda version: 1 <= version <= 1000,
    "suite": lambda suite: suite == "0478",
    "media_type": lambda media_type: re.fullmatch(f"{NAME}/{NAME}", media_type),
    "frame_bytes": lambda frame: frame in (1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20),
    "grant_seconds": lambda seconds: 60 <= seconds <= 25_920_000,
}

RUN = "record version media_type suite message_id commitment frame_bytes body_bytes frames_root parts_root"
COMMANDS = {  # members, private fields; those with ? may be absent
    "operator.add.v1": ("sign_key", ""),
    "operator.remove.v1": ("operator", "reason"),
    "auditor.add.v1": ("sign_key", ""),
    "auditor.remove.v1": ("auditor", "reason"),
    "provider.invite.v1": ("code_hash expires_at", "note?"),
    "provider.register.v1": ("provider code sign_key seal_key", "organisation name phone email?"),
    "provider.verify.v1": ("provider head", "note?"),
    "provider.suspend.v1": ("provider", "reason"),
    "record.create.v1": ("", ""),
    "record.version.v1": ("record", ""),
    "record.announce.v1": (RUN, "tokens label?"),
    "record.key.v1": ("record version", ""),
    "record.download.v1": ("record version", ""),
    "access.request.v1": ("record version purpose grant_seconds", "justification"),
    "access.approve.v1": ("request head", "comment?"),
    "access.deny.v1": ("request head", "reason"),
    "key.issue.v1": ("request record", ""),
    "request.download.v1": ("request record", ""),
    "search.perform.v1": ("", "query"),
}


@functools.cache
def parse_command(jws):
    """The members of header and payload, and what was signed. Nobody has looked at the signature yet."""
    code = "malformed-command"
    need(isinstance(jws, str) and len(jws) <= MAX_COMMAND_BYTES and jws.count(".") == 2, code)
    header, payload, signature = jws.split(".")
    header = strict_json(b64url(header, None, code), code)
    need(isinstance(header, dict) and isinstance(header.get("alg"), str), code)
    need(header["alg"] == "EdDSA", "bad-algorithm")
    members(header, ("alg", "kid", "typ"), code)
    kid, payload, signature = header["kid"], b64url(payload, None, code), b64url(signature, None, code)
    need(header["typ"] == "chartseal-command+jws" and isinstance(kid, str) and len(signature) == 64, code)
    need(is_ulid(kid) or (len(kid) == 43 and b64url(kid, 32, code)), code)
    command = strict_json(payload, code)
    need(isinstance(command, dict) and isinstance(command.get("typ"), str) and command["typ"] in COMMANDS, code)
    own, private = (names.split() for names in COMMANDS[command["typ"]])
    members(command, ["typ", "aud", "iat", "jti", "private", *own], code, optional=["act"])
    need(isinstance(command["aud"], str) and is_count(command["iat"]) and is_ulid(command["jti"]), code)
    need("act" not in command or is_ulid(command["act"]), code)
    members(command["private"], [name for name in private if name[-1] != "?"], code, [name.rstrip("?") for name in private])
    need(all(map(is_hash, command["private"].values())), code)
    need(all(SPELLING[name](command[name]) for name in own), code)
    need(all(BOUNDS[name](command[name]) for name in own if name in BOUNDS), "bad-field")
    if command["typ"] == "record.announce.v1":
        body, frame = command["body_bytes"], command["frame_bytes"]
        need(body >= 40, "bad-field")
        need(body <= MAX_RECORD_BYTES, "upload-too-large")
        need((body - 40) % (frame + 32) <= frame, "bad-field")
    return command | {"kid": kid, "own": {name: command[name] for name in own}, "hash": sha(jws.encode()),
                      "signature": signature, "message": jws.rpartition(".")[0].encode()}
