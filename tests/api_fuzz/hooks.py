"""Schemathesis's hooks: signed commands and read tokens for what it makes up, and what every answer is held to beside the document's schemas.

`CHARTSEAL_FUZZ_CAST` names the file with the wallets and objects that the harness (main.rs) made.
"""

import atexit
import itertools
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
import zlib

import plans
import schemathesis
import signing

with open(os.environ["CHARTSEAL_FUZZ_CAST"], encoding="utf-8") as text:
    CAST = plans.Cast(json.load(text))
COMMANDS = plans.commands(CAST)
# An element of ristretto255 (RFC 9496, the generator).
ELEMENT = "4vKuCmq8TnGohKlhxQBRX1jjC2qlgt2NtqZZReCNLXY"
# Who may read; the others of a read's callers are few.
READERS = {"/tokens": "stranger", "/ledger/blocks/{height}/events/{first}": "auditor", "/records/{id}/upload/parts": "owner", "/records/{id}/upload/complete": "owner"}
OTHER_READERS = ("stranger", "grantee", "owner", "pending", "auditor", None)
TILE = "/ledger/tile/{tile}"
TILE_PARTS = "/ledger/tile/{level}/{index}/{width}"
# Stands for an upload in parts that was begun.
UPLOAD = "@upload"
COUNTS = {}
TURNS = {}
SEED = os.environ["CHARTSEAL_FUZZ_SEED"]


# --- What is made up --------------------------------------------------------------------------------------------------------------------

@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Puts plans in the place of signed bodies, and known ids beside made-up ones. What is answered stays as documented."""
    seen = set()
    split_tile(raw_schema["paths"])
    for path, methods in raw_schema["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["schema"] = path_value(path, parameter["name"])
                if parameter["name"] == "cursor":
                    parameter["schema"] = {"anyOf": [parameter["schema"], {"type": "string", "minLength": 513, "maxLength": 600}]}
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content and content["schema"].get("$ref", "").endswith("/CommandRequest"):
                seen.add(name)
                if name not in COMMANDS:
                    raise SystemExit(f"give {name} a row in tests/api_fuzz/plans.py")
                content["schema"] = plans.schema(COMMANDS[name])
    if gone := set(COMMANDS) - seen:
        raise SystemExit(f"no operation of the document takes a command: {sorted(gone)}")
    questions(raw_schema["components"]["schemas"])


def split_tile(paths):
    """OpenAPI has no word for a value with slashes: the path of a partial tile in three values."""
    tile = paths.pop(TILE)
    parameter = tile["get"]["parameters"][0]
    tile["get"]["parameters"] = [parameter | {"name": name} for name in ("level", "index", "width")]
    paths[TILE_PARTS] = tile


def questions(schemas):
    """Puts good questions beside the made-up ones, so that what follows a good one is reached."""
    one = lambda value: {"enum": [value]}
    exactly = lambda **properties: {"type": "object", "additionalProperties": False, "required": sorted(properties), "properties": properties}
    large = CAST.given["large"]
    run = {"version": one(1), "message_id": one(large["message_id"])}
    part = lambda number: exactly(number=one(number), sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"})
    parts = [{"type": "array", "minItems": len(few), "maxItems": len(few), "prefixItems": few, "items": False} for few in ([part(1)], [part(1), part(2)])]
    parts.append({"type": "array", "minItems": 101, "maxItems": 101, "items": part(1)})
    schemas["PartDigest"]["properties"]["sha256"] = plans.HASH
    good = {
        "TokensRequest": exactly(blinded={"type": "array", "minItems": 1, "maxItems": 40, "items": one(ELEMENT)}),
        "PartsRequest": exactly(parts={"anyOf": parts}, **run),
        "CompleteRequest": exactly(upload_id={"anyOf": [one(UPLOAD), {"type": "string", "minLength": 1025, "maxLength": 1030}]}, **run),
    }
    for name, question in good.items():
        schemas[name] = {"anyOf": [question, schemas[name]]}


def path_value(path, name):
    given = CAST.given
    if path.startswith("/ledger/"):
        first = {"level": "0", "index": "000.p", "width": "1", "height": "0", "first": "0", "leaf": given["genesis"]}[name]
        return {"anyOf": [{"enum": [first]}, {"type": "string", "pattern": "^[0-9a-fx.+-]{1,70}$"}]}
    if "/upload/" in path:
        return plans.ids([given["large"]["record"]])
    pools = {
        "records": [given["records"], given["own_records"]],
        "requests": [given["to_approve"], given["to_deny"], [grant["request"] for grant in given["grants"]]],
        "providers": [given["victims"]],
        "operators": [given["operators"]],
        "auditors": [given["auditors"]],
    }
    return plans.ids(*pools[path.split("/")[1]])


# --- What is sent -----------------------------------------------------------------------------------------------------------------------

@schemathesis.hook
def before_call(context, case, kwargs):
    name = f"{case.operation.method.upper()} {case.path}"
    if plans.is_plan(case.body):
        case.body, target = plans.carry_out(case.body, name, COMMANDS[name], CAST)
        parameter = next(iter(case.path_parameters or {}), None)
        if parameter and isinstance(target, str) and re.fullmatch("[A-Za-z0-9_-]+", target):
            case.path_parameters[parameter] = target
    if isinstance(case.body, dict) and case.body.get("upload_id") == UPLOAD:
        case.body = case.body | {"upload_id": UPLOADS[-1]}
    if case.operation.definition.raw.get("security"):
        authorise(case)


@schemathesis.hook
def after_call(context, case, response):
    if case.path.endswith("/upload/parts") and response.status_code == 200:
        UPLOADS.append(response.json()["upload_id"])


def authorise(case):
    """A read token, most of the time a good one of the right wallet. Which one follows from the seed and the number of the operation's call."""
    turn = next(TURNS.setdefault(f"{case.operation.method} {case.path}", itertools.count()))
    dice = zlib.crc32(f"{SEED} {case.operation.method} {case.path} {turn}".encode())
    path = urllib.parse.urlsplit(case.as_transport_kwargs(base_url="http://vault")["url"]).path
    who = READERS.get(case.path, ("operator", "owner", "grantee")[dice % 3])
    if dice >> 8 & 7 == 0:
        who = OTHER_READERS[(dice >> 11) % len(OTHER_READERS)]
    token = CAST.wallet(who).read_token(CAST.origin, case.method.upper(), path, spoilt_claims(dice >> 16 & 63))
    case.headers = dict(case.headers or {}) | {"Authorization": "Bearer " + (token if dice >> 24 & 31 else token[:-9])}


def spoilt_claims(dice):
    return {0: {"exp": 1}, 1: {"htm": "PUT"}, 2: {"aud": "another.vault"}, 3: {"act": "x"}, 4: {"more": 1}, 5: {"iat": 0}, 6: {"exp": 2**63}}.get(dice)


# --- What has to be looked up -----------------------------------------------------------------------------------------------------------

def ask(who, method, path, question=None):
    """A good read of our own, outside the fuzzing."""
    body = None if question is None else signing.dumps(question)
    request = urllib.request.Request(CAST.given["api"] + path, body, {"Content-Type": "application/json"}, method=method)
    request.add_header("Authorization", "Bearer " + CAST.wallets[who].read_token(CAST.origin, method, path))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def head_of(kind, name):
    """The head that an operator would have looked at; none where somebody decided while they looked."""
    try:
        shown = ask("operator", "GET", f"/{kind}s/{name}")
    except urllib.error.HTTPError as error:
        if error.code == 409:
            return "0" * 64
        raise
    return shown["head"] if kind == "request" else signing.leaf_hash(shown["evidence"][f"provider/{name}"][-1])


CAST.head_of = head_of


def begin_upload():
    large = CAST.given["large"]
    question = {"version": 1, "message_id": large["message_id"], "parts": [{"number": 1, "sha256": "00" * 32}]}
    return ask("owner", "POST", f"/records/{large['record']}/upload/parts", question)["upload_id"]


# The upload in parts that the placeholder stands for.
UPLOADS = [begin_upload()]


# --- What is held against it ------------------------------------------------------------------------------------------------------------

@schemathesis.check
def problems_are_documented(ctx, response, case):
    """What is refused is a problem document that says the answer's status and whose code the operation documents for it."""
    came = COUNTS.setdefault(f"{case.operation.method.upper()} {TILE if case.path == TILE_PARTS else case.path}", {})
    came[outcome(response)] = came.get(outcome(response), 0) + 1
    if response.status_code < 400:
        return
    problem = response.json()
    code = problem.get("code")
    if case.method.upper() != case.operation.method.upper() or leads_nowhere(case, response):
        assert (response.status_code, code) == (404, "no-route"), f"{response.status_code} {code} where there is no route"
        return
    documented = case.operation.definition.raw["responses"].get(str(response.status_code), {}).get("x-codes", [])
    assert code in documented, f"{code} is not documented for {response.status_code} of {case.method.upper()} {case.path}"
    assert problem["status"] == response.status_code, "the document says another status"
    assert problem["type"] == f"urn:chartseal:problem:{code}" and problem["request_id"] and problem["detail"]


def leads_nowhere(case, response):
    """Whether the path that was sent is not the operation's: a parameter was empty, or had a slash in it."""
    pattern = "/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in case.path.split("/"))
    sent = urllib.parse.unquote(urllib.parse.urlsplit(response.request.url).path)
    if case.path == TILE_PARTS and "\n" in sent:
        # The emulator's greedy routes end at a line break.
        return True
    return not re.fullmatch(".*/\\$default" + pattern, sent, re.DOTALL)


@schemathesis.check
def nothing_is_cached(ctx, response, case):
    """Answers hold presigned URLs and keys: no cache may keep them. The ledger is for everybody, but for what its events say."""
    public = case.path.startswith("/ledger/") and not case.operation.definition.raw.get("security")
    allowed = "public, max-age=" if public and response.status_code == 200 else "no-store"
    assert allowed in response.headers.get("cache-control", [""])[0]


def outcome(response):
    if response.status_code < 400:
        return str(response.status_code)
    try:
        return str(response.json()["code"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} without a code"


def write_counts():
    """What came of each operation, for the harness to see how far the fuzzing got."""
    with open(os.environ["CHARTSEAL_FUZZ_COUNTS"], "w", encoding="utf-8") as out:
        json.dump(COUNTS, out, indent=1, sort_keys=True)


atexit.register(write_counts)
