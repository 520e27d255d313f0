"""What a command or an observation comes to: docs/EVENT-LOG.md, "Decisions". Nothing is kept here; the states come from history.py.

`view(stream)` is the state of a stream as it was looked at, None where it had not begun. Facts are what the vault adds:
they are taken from the outcome.
"""

import base64
import datetime

from spelling import MAX_SMALL, b64url, derived, is_count, is_hash, large_order, need, sha, signed, thumbprint, ulid_ms

CLOCK_MS, DAY_MS = 120_000, 86_400_000


class Taken(Exception):
    """The command was taken before: nothing is appended."""


def decide(view, origin, command, facts, now):
    """The events it leads to, [(stream, type, outcome)]; or what refuses it."""
    need(command["aud"] == origin, "wrong-audience")
    need(abs(command["iat"] * 1000 - now) <= CLOCK_MS, "clock-skew")
    need(abs(ulid_ms(command["jti"]) - command["iat"] * 1000) <= CLOCK_MS, "bad-jti")
    signer, key = who_signs(view, command)
    need(signed(b64url(key, 32, "signature-invalid"), command["signature"], command["message"]), "signature-invalid")
    return DECISIONS[command["typ"]](view, command, signer, facts, now)


def who_signs(view, command):
    kid, act = command["kid"], command.get("act")
    if len(kid) == 43 and act is None:
        if command["typ"] == "provider.register.v1":
            need(thumbprint(command["sign_key"]) == kid, "unknown-signer")
            return "new key", command["sign_key"]
        vault = view("vault") or {"operators": {}, "auditors": {}}
        need(kid in vault["operators"] or kid in vault["auditors"], "unknown-signer")
        return ("operator", vault["operators"][kid]) if kid in vault["operators"] else ("auditor", vault["auditors"][kid])
    need(len(kid) == 26 and act, "malformed-command")
    person = view(f"staff/{kid}")
    need(person, "unknown-signer")
    need(person["provider"] == act, "not-member")
    return "person", person["sign_key"]


def of_operator(signer):
    need(signer == "operator", "not-operator")


def of_member(view, command, signer):
    """The member's own stream: their keys."""
    need(signer == "person", "not-member")
    provider = view("provider/" + command["act"])
    need(provider, "not-member")
    need(provider["status"] not in ("invited", "pending"), "provider-pending")
    need(provider["status"] == "verified", "provider-suspended")
    return view("staff/" + command["kid"])


def not_taken(state, command):
    hash_ = (state or {"taken": {}})["taken"].get((command["kid"], command["jti"]))
    if hash_ == command["hash"]:
        raise Taken
    need(hash_ is None, "jti-reused")


def of_new_stream(view, stream, command):
    """Its id follows from who signs and the jti: whatever began it has both."""
    not_taken(view(stream), command)
    return stream


def deadline(facts, now, most_ms, code="unsound"):
    need(is_count(facts.get("expires_at")) and now < facts["expires_at"] <= now + most_ms, code)
    return facts["expires_at"]


def added(view, command, signer, role):
    of_operator(signer)
    not_taken(view("vault"), command)
    kid = thumbprint(command["sign_key"])
    need(kid not in view("vault")["operators"], "operator-exists")
    need(kid not in view("vault")["auditors"], "auditor-exists")
    need(len(view("vault")[role + "s"]) < 64, "bad-field")
    return [("vault", role + ".added.v1", {"sign_key": command["sign_key"]})]


def operator_add(view, command, signer, facts, now):
    return added(view, command, signer, "operator")


def auditor_add(view, command, signer, facts, now):
    return added(view, command, signer, "auditor")


def operator_remove(view, command, signer, facts, now):
    of_operator(signer)
    not_taken(view("vault"), command)
    need(command["operator"] in view("vault")["operators"], "not-found")
    need(len(view("vault")["operators"]) > 1, "last-operator")
    return [("vault", "operator.removed.v1", {"operator": command["operator"]})]


def auditor_remove(view, command, signer, facts, now):
    of_operator(signer)
    not_taken(view("vault"), command)
    need(command["auditor"] in view("vault")["auditors"], "not-found")
    return [("vault", "auditor.removed.v1", {"auditor": command["auditor"]})]


def provider_invite(view, command, signer, facts, now):
    of_operator(signer)
    stream = of_new_stream(view, "provider/" + derived("provider", command), command)
    deadline(command, now, 30 * DAY_MS, "bad-field")
    return [(stream, "provider.invited.v1", {name: command[name] for name in ("code_hash", "expires_at")})]


def provider_register(view, command, signer, facts, now):
    need(signer == "new key", "unknown-signer")
    stream, staff = "provider/" + command["provider"], derived("staff", command)
    provider = view(stream)
    need(provider, "not-found")
    not_taken(provider, command)
    code_hash = sha(b"chartseal/invitation/v1\0" + b64url(command["code"], 16, "malformed-command")).hex()
    need(code_hash == provider["code_hash"], "wrong-code")
    need(provider["status"] == "invited", "invitation-used")
    need(now < provider["expires_at"], "invitation-expired")
    person = {"provider": command["provider"], "role": "administrator", "sign_key": command["sign_key"], "seal_key": command["seal_key"]}
    of_new_stream(view, f"staff/{staff}", command)
    return [(stream, "provider.registered.v1", {"staff": staff}), (f"staff/{staff}", "staff.added.v1", person)]


def of_provider(view, command, signer):
    of_operator(signer)
    provider = view("provider/" + command["provider"])
    need(provider, "not-found")
    not_taken(provider, command)
    need(provider["status"] != "invited", "not-registered")
    return provider


def provider_verify(view, command, signer, facts, now):
    provider = of_provider(view, command, signer)
    need(provider["status"] != "verified", "already-verified")
    need(command["head"] == provider["head"], "head-moved")
    return [("provider/" + command["provider"], "provider.verified.v1", {})]


def provider_suspend(view, command, signer, facts, now):
    need(of_provider(view, command, signer)["status"] != "suspended", "already-suspended")
    return [("provider/" + command["provider"], "provider.suspended.v1", {})]


def created(stream, number, command, facts):
    need(is_hash(facts.get("wrapped_sha256")), "unsound")
    return [(stream, "record.created.v1", {"owner": command["act"], "version": number, "wrapped_sha256": facts["wrapped_sha256"]})]


def record_create(view, command, signer, facts, now):
    of_member(view, command, signer)
    return created(of_new_stream(view, "record/" + derived("record", command), command), 1, command, facts)


def own_record(view, command, signer):
    member = of_member(view, command, signer)
    record = view("record/" + command["record"])
    need(record and record["owner"] == command["act"], "not-found")
    not_taken(record, command)
    return member, record


def waits(run, now):
    return run["status"] == "pending" and now < run["expires_at"]


def record_version(view, command, signer, facts, now):
    _, record = own_record(view, command, signer)
    latest = record["versions"][-1]
    need(latest["uploaded"] or not any(waits(run, now) for run in latest["runs"].values()), "version-open")
    need(len(record["versions"]) < 1000, "too-many-versions")
    return created("record/" + command["record"], len(record["versions"]) + 1, command, facts)


def has_version(record, number):
    need(number <= len(record["versions"]), "not-found")
    return record["versions"][number - 1]


def record_announce(view, command, signer, facts, now):
    _, record = own_record(view, command, signer)
    version = has_version(record, command["version"])
    need(not version["uploaded"], "version-uploaded")
    same = [run for run in version["runs"].values() if run["members"]["message_id"] == command["message_id"]]
    need(all(run["members"] == command["own"] for run in same), "bad-field")
    if any(waits(run, now) for run in same):
        raise Taken
    need(len(version["runs"]) < 16, "too-many-announcements")
    outcome = {"version": command["version"], "expires_at": deadline(facts, now, DAY_MS)}
    return [("record/" + command["record"], "record.announced.v1", outcome)]


def record_key(view, command, signer, facts, now):
    member, record = own_record(view, command, signer)
    has_version(record, command["version"])
    outcome = {"record": command["record"], "version": command["version"], "seal_key": member["seal_key"]}
    return [("record/" + command["record"], "key.issued.v1", outcome)]


def record_download(view, command, signer, facts, now):
    _, record = own_record(view, command, signer)
    need(has_version(record, command["version"])["uploaded"], "not-uploaded")
    return [("record/" + command["record"], "record.downloaded.v1", {"record": command["record"], "version": command["version"]})]


def access_request(view, command, signer, facts, now):
    member = of_member(view, command, signer)
    stream = of_new_stream(view, "request/" + derived("request", command), command)
    record = view("record/" + command["record"])
    need(record, "not-found")
    version = has_version(record, command["version"])
    need(record["owner"] != command["act"], "own-record")
    need(version["uploaded"], "not-found")
    outcome = {**command["own"], "owner": record["owner"], "requester": command["act"], "requester_key": thumbprint(member["sign_key"])}
    return [(stream, "access.requested.v1", {**outcome, "expires_at": deadline(facts, now, 30 * DAY_MS)})]


def open_request(view, command, signer, now):
    of_operator(signer)
    request = view("request/" + command["request"])
    need(request, "not-found")
    not_taken(request, command)
    need(command["kid"] != request["requester_key"], "approver-is-requester")
    need(request["status"] != "undecided", "request-expired")
    need(request["status"] in ("requested", "verified"), "already-decided")
    need(now < request["expires_at"], "request-expired")
    return request


def access_approve(view, command, signer, facts, now):
    request = open_request(view, command, signer, now)
    need(request["status"] == "verified", "request-not-verified")
    need(command["head"] == request["head"], "head-moved")
    return [("request/" + command["request"], "access.approved.v1", {"until": now + 1000 * request["grant_seconds"]})]


def access_deny(view, command, signer, facts, now):
    need(command["head"] == open_request(view, command, signer, now)["head"], "head-moved")
    return [("request/" + command["request"], "access.denied.v1", {})]


def granted(view, command, signer, now):
    member = of_member(view, command, signer)
    request, record = view("request/" + command["request"]), view("record/" + command["record"])
    need(request and request["requester"] == command["act"] and request["record"] == command["record"], "not-found")
    need(request["status"] not in ("requested", "verified"), "not-approved")
    need(request["status"] != "denied", "request-denied")
    need(request["status"] != "undecided", "request-expired")
    need(request["status"] == "approved" and now < request["until"], "grant-over")
    need(record and has_version(record, request["version"])["uploaded"], "not-uploaded")
    not_taken(request, command)
    return member, {"record": command["record"], "version": request["version"]}


def key_issue(view, command, signer, facts, now):
    member, outcome = granted(view, command, signer, now)
    return [("request/" + command["request"], "key.issued.v1", {**outcome, "seal_key": member["seal_key"]})]


def request_download(view, command, signer, facts, now):
    return [("request/" + command["request"], "record.downloaded.v1", granted(view, command, signer, now)[1])]


def search_perform(view, command, signer, facts, now):
    of_member(view, command, signer)
    day = datetime.datetime.fromtimestamp(command["iat"], datetime.UTC).strftime("%Y%m%d")
    stream = f"search/{command['act']}/{day}/{sha(command['jti'].encode())[0] % 16}"
    not_taken(view(stream), command)
    need(is_count(facts.get("hits"), most=MAX_SMALL), "unsound")
    return [(stream, "search.performed.v1", {"hits": facts["hits"]})]


DECISIONS = {
    "operator.add.v1": operator_add, "operator.remove.v1": operator_remove, "auditor.add.v1": auditor_add,
    "auditor.remove.v1": auditor_remove, "provider.invite.v1": provider_invite,
    "provider.register.v1": provider_register, "provider.verify.v1": provider_verify, "provider.suspend.v1": provider_suspend,
    "record.create.v1": record_create, "record.version.v1": record_version, "record.announce.v1": record_announce,
    "record.key.v1": record_key, "record.download.v1": record_download, "access.request.v1": access_request,
    "access.approve.v1": access_approve, "access.deny.v1": access_deny, "key.issue.v1": key_issue,
    "request.download.v1": request_download, "search.perform.v1": search_perform,
}


def observe(view, event):
    """What the vault itself saw, as (stream, type, outcome)."""
    type_, outcome, stream, now = event["type"], event["outcome"], event["stream"], event["at"]
    if type_ == "vault.genesis.v1":
        operators = outcome["operators"]
        need(view("vault") is None and 1 <= len(operators) <= 64 and len(set(operators)) == len(operators), "unsound")
        need(outcome["clock_key"] != outcome["log_key"], "unsound")
        need(outcome["operator_threshold"] == 1, "unsound")
        return stream, type_, outcome
    state = view(stream)
    need(state, "unsound")
    if type_ in ("record.uploaded.v1", "record.upload-expired.v1"):
        return stream, type_, upload(state, type_, outcome, now)
    if type_ in ("access.verified.v1", "access.denied.v1"):
        provider, person = view("provider/" + state["requester"]), view("staff/" + state["kid"])
        sound = provider and provider["status"] == "verified" and person and person["provider"] == state["requester"]
        sound = sound and thumbprint(person["sign_key"]) == state["requester_key"]
        need(state["status"] == "requested" and bool(sound) == (type_ == "access.verified.v1"), "unsound")
        return stream, type_, {}
    need(type_ == "access.expired.v1", "unsound")
    is_open = state["status"] in ("requested", "verified")
    if is_open and now >= state["expires_at"]:
        return stream, type_, {"reason": "undecided"}
    need(state["status"] == "approved" and now >= state["until"], "unsound")
    return stream, type_, {"reason": "grant-over"}


def upload(state, type_, outcome, now):
    number, announced = outcome.get("version"), outcome.get("announced")
    need(is_count(number, 1, len(state["versions"])) and is_count(announced), "unsound")
    version = state["versions"][number - 1]
    run = version["runs"].get(announced)
    need(run and run["status"] == "pending", "unsound")
    if type_ == "record.upload-expired.v1":
        need(now >= run["expires_at"] or version["uploaded"], "unsound")
        return {"version": number, "announced": announced}
    need(not version["uploaded"] and isinstance(outcome.get("version_id"), str), "unsound")
    return {"version": number, "announced": announced, "version_id": outcome["version_id"]}
