"""A verifier as somebody outside could write it from docs/LEDGER.md, with Python's own library and an Ed25519.

    python ledger/interop/python/outsider.py

Every good vector must be accepted and every hostile one refused (with whatever words: the codes are the ledger's own). It shares no code with the
ledger. Where it knows less (it has no limits on lengths), the vectors that only a limit refuses are named in BEYOND.
"""

import base64
import hashlib
import json
import pathlib
import re
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "vectors"
MAX_SIZE = 2**63 - 1
BEYOND = {"proof-127-hashes", "note-65-signatures", "file-64-hashes"}


class Refused(Exception):
    """The vector must not be believed."""


def need(holds):
    if not holds:
        raise Refused


def sha(data):
    return hashlib.sha256(data).digest()


def node(left, right):
    return sha(b"\x01" + left + right)


def split(n):
    return 1 << ((n - 1).bit_length() - 1)


def mth(leaves):
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(mth(leaves[:k]), mth(leaves[k:]))


def climb(start, end, known, hashes):
    """The root over start..end, where known(start, end) says what is at hand and hashes gives the rest from left to right."""
    hash_ = known(start, end)
    if hash_ is not None:
        return hash_
    if not overlaps(start, end, known.first, known.end):
        need(hashes)
        return hashes.pop(0)
    middle = start + split(end - start)
    left = climb(start, middle, known, hashes)
    return node(left, climb(middle, end, known, hashes))


def overlaps(start, end, first, last):
    return start < last and end > first


def check_range(first, leaves, size, root, hashes):
    need(leaves and first + len(leaves) <= size <= MAX_SIZE)

    def known(start, end):
        if end - start == 1 and first <= start < first + len(leaves):
            return leaves[start - first]
        return None

    known.first, known.end = first, first + len(leaves)
    hashes = list(hashes)
    need(climb(0, size, known, hashes) == root and not hashes)


def check_inclusion(index, leaf, size, root, hashes):
    """Recursively, from the root down: another way than RFC 9162's loop."""
    need(0 <= index < size <= MAX_SIZE)
    hashes = list(hashes)

    def walk(start, end):
        if end - start == 1:
            return leaf
        middle = start + split(end - start)
        need(hashes)
        beside = hashes.pop()
        if index < middle:
            return node(walk(start, middle), beside)
        return node(beside, walk(middle, end))

    need(walk(0, size) == root and not hashes)


def check_consistency(old_size, old_root, size, root, hashes):
    need(old_size <= size <= MAX_SIZE)
    hashes = list(hashes)
    if old_size == size or old_size == 0:
        need(not hashes and (old_root == root if old_size == size else old_root == sha(b"")))
        return

    def walk(start, end, whole):
        """Both roots over what of the old tree, and of the new one, is in start..end."""
        if end == old_size:
            if whole:
                return old_root, old_root
            need(hashes)
            hash_ = hashes.pop()
            return hash_, hash_
        middle = start + split(end - start)
        need(hashes)
        beside = hashes.pop()
        if old_size <= middle:
            old, new = walk(start, middle, whole)
            return old, node(new, beside)
        old, new = walk(middle, end, False)
        return node(beside, old), node(beside, new)

    old, new = walk(0, size, True)
    need(old == old_root and new == root and not hashes)


def b64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused from None
    need(base64.b64encode(data).decode() == text)
    return data


def decimal(text):
    need(re.fullmatch(r"0|[1-9][0-9]*", text) and int(text) <= MAX_SIZE)
    return int(text)


def parse_key(vkey):
    parts = vkey.split("+", 2)
    need(len(parts) == 3 and parts[0] and not re.search(r"[\s\x00-\x1f\x7f]", parts[0]))
    material = b64(parts[2])
    need(len(material) == 33 and material[0] in (1, 4) and material[1:] not in (bytes(32), b"\x01" + bytes(31)))
    need(sha(parts[0].encode() + b"\n" + material)[:4].hex() == parts[1])
    return parts[0], bytes.fromhex(parts[1]), material[0], material[1:]


def parse_note(data):
    try:
        note = data.decode()
    except UnicodeDecodeError:
        raise Refused from None
    need(not re.search(r"[\x00-\x09\x0b-\x1f]", note) and "\n\n" in note and note.endswith("\n"))
    text, lines = note.rsplit("\n\n", 1)
    signatures = []
    for line in lines[:-1].split("\n"):
        match = re.fullmatch(r"— ([^\s+]+) (\S+)", line)
        need(match)
        signature = b64(match[2])
        need(len(signature) > 4)
        signatures.append((match[1], signature[:4], signature[4:]))
    return text + "\n", signatures


def signed_by(key, text, signatures):
    name, id_, kind, public = key
    mine = [signature for who, hint, signature in signatures if (who, hint) == (name, id_)]
    need(len(mine) <= 1)
    if not mine:
        return None
    signature, message, time_s = mine[0], text.encode(), 0
    if kind == 4:
        need(len(signature) == 72)
        time_s = struct.unpack(">Q", signature[:8])[0]
        signature, message = signature[8:], f"cosignature/v1\ntime {time_s}\n{text}".encode()
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        raise Refused from None
    return time_s


def parse_checkpoint(text):
    lines = text.split("\n")
    need(len(lines) == 4 and lines[0] and lines[3] == "")
    size, root = decimal(lines[1]), b64(lines[2])
    need(len(root) == 32 and (size > 0 or root == sha(b"")))
    return lines[0], size, root


def parse_policy(policy):
    log = parse_key(policy["log"])
    clock = [parse_key(policy["clock"])] if "clock" in policy else []
    witnesses = [parse_key(key) for key in policy["witnesses"]]
    everybody = [log, *clock, *witnesses]
    need(log[2] == 1 and all(key[2] == 4 for key in clock + witnesses))
    need(len({key[3] for key in everybody}) == len(everybody) and policy["quorum"] <= len(witnesses))
    return log, clock, witnesses, policy["quorum"]


def accept(policy, note, now_s=None):
    log, clock, witnesses, quorum = parse_policy(policy)
    text, signatures = parse_note(note)
    origin, size, root = parse_checkpoint(text)
    need(origin == log[0] and signed_by(log, text, signatures) is not None)
    by_clock = [signed_by(key, text, signatures) for key in clock]
    by_witnesses = [time for time in (signed_by(key, text, signatures) for key in witnesses) if time is not None]
    need(len(by_witnesses) >= quorum)
    if now_s is not None:
        times = [time for time in by_clock + by_witnesses if time is not None and time <= now_s + 5]
        need(times and now_s - max(times) <= 150)
    return size, root


def parse_seal(data):
    need(len(data) == 130)
    kind, version, height, prev, time_ms, first, events, root, map_root, map_version = struct.unpack(">BBQ32sQQI32s32sI", data)
    need(kind == 2 and version == 1 and 1 <= events <= 2000)
    need((height == 0) == (first == 0) == (prev == bytes(32)))
    need(2 * height <= first <= 2001 * height and first + events + 1 <= MAX_SIZE and time_ms < 2**53)
    need(map_version > 0 or map_root == bytes(32))
    return dict(height=height, prev=prev, time_ms=time_ms, first=first, events=events, root=root, map_version=map_version,
                index=first + events, leaf=sha(b"\x00" + data))


def check_chain(blocks, checkpoint):
    leaves, last = [], None
    for block in blocks:
        seal = parse_seal(bytes.fromhex(block["seal"]))
        events = [bytes.fromhex(leaf) for leaf in block["events"]]
        need(seal["height"] == (last["height"] + 1 if last else 0) and seal["first"] == len(leaves))
        if last:
            need(seal["prev"] == last["leaf"] and seal["time_ms"] > last["time_ms"] and seal["map_version"] >= last["map_version"])
        need(len(events) == seal["events"] and mth(events) == seal["root"])
        leaves += [*events, seal["leaf"]]
        last = seal
    if checkpoint is not None:
        _, size, root = parse_checkpoint(checkpoint)
        need((size, root) == (len(leaves), mth(leaves)))


def parse_path(path):
    match = re.fullmatch(r"tile/([0-7])/((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", path)
    need(match)
    groups = re.findall("[0-9]{3}", match[2]) + [match[3]]
    need(len(groups) == 1 or groups[0] != "000")
    level, index, width = int(match[1]), int("".join(groups)), int(match[4] or 256)
    need(not match[4] or width < 256)
    need((index * 256 + width) << (8 * level) <= MAX_SIZE)
    return level, index, width


def check_tiles(size, root, tiles):
    read = {}
    for tile in tiles:
        level, index, width = parse_path(tile["path"])
        data = bytes.fromhex(tile["hashes"])
        need(len(data) == 32 * width and width == min(256, (size >> 8 * level) - 256 * index))
        read[level, index] = [data[at:at + 32] for at in range(0, len(data), 32)]
    peaks = []
    for level in range(7, -1, -1):
        width = (size >> 8 * level) % 256
        tile = read.get((level, size >> 8 * (level + 1)), [])
        need(len(tile) == width or width == 0)
        at = 0
        for bit in range(7, -1, -1):
            if width >> bit & 1:
                peaks.append(mth(tile[at:at + (1 << bit)]))
                at += 1 << bit
    while len(peaks) > 1:
        right = peaks.pop()
        peaks[-1] = node(peaks[-1], right)
    need(peaks == [root])
    for (level, index), tile in read.items():
        if len(tile) == 256:
            above = read.get((level + 1, index >> 8))
            need(above and above[index % 256] == mth(tile))


def check_edge(data):
    need(len(data) >= 8)
    size = struct.unpack(">Q", data[:8])[0]
    need(size <= MAX_SIZE and len(data) == 8 + 32 * sum(data[:8]))


def parse_file(text):
    need(text.startswith("c2sp.org/tlog-proof@v1\n") and "\n\n" in text)
    head, checkpoint = text.split("\n", 1)[1].split("\n\n", 1)
    need(checkpoint)
    lines, extra = head.split("\n"), None
    if lines[0].startswith("extra"):
        need(lines[0].startswith("extra "))
        extra = b64(lines.pop(0)[6:])
        need(extra)
    need(lines and lines[0].startswith("index "))
    index = decimal(lines[0][6:])
    hashes = [b64(line) for line in lines[1:]]
    need(all(len(hash_) == 32 for hash_ in hashes))
    return extra, index, hashes, checkpoint


def check_event_proof(policy, text):
    extra, index, hashes, checkpoint = parse_file(text)
    need(extra and extra.startswith(b"chartseal/proof/v1\n") and len(extra) > 150)
    seal = parse_seal(extra[19:149])
    path, body = extra[150:150 + 32 * extra[149]], extra[150 + 32 * extra[149]:]
    need(len(path) == 32 * extra[149] and body)
    size, root = accept(policy, checkpoint.encode())
    need(seal["first"] <= index < seal["index"])
    check_inclusion(index, sha(b"\x00\x01" + body), size, root, hashes)
    check_inclusion(seal["index"], seal["leaf"], size, root, [path[at:at + 32] for at in range(0, len(path), 32)])


def run(check, given):
    def one(name):
        return bytes.fromhex(given[name])

    def many(name):
        return [bytes.fromhex(hash_) for hash_ in given[name]]

    if check == "inclusion":
        check_inclusion(given["index"], one("leaf"), given["size"], one("root"), many("proof"))
    elif check == "consistency":
        check_consistency(given["old_size"], one("old_root"), given["size"], one("root"), many("proof"))
    elif check == "range":
        check_range(given["first"], many("leaves"), given["size"], one("root"), many("proof"))
    elif check == "proof":
        need(len(one("proof")) % 32 == 0)
    elif check == "tile-path":
        parse_path(given["path"])
    elif check == "tiles":
        check_tiles(given["size"], one("root"), given["tiles"])
    elif check == "edge":
        check_edge(one("edge"))
    elif check == "seal":
        parse_seal(one("seal"))
    elif check == "chain":
        check_chain(given["blocks"], given["checkpoint"])
    elif check == "key":
        parse_key(given["key"])
    elif check == "policy":
        parse_policy(given["policy"])
    elif check == "accept":
        note = given["note"].encode() if "note" in given else one("note_hex")
        accept(given["policy"], note, given.get("now_s"))
    elif check == "extends":
        old, new = parse_checkpoint(given["older"]), parse_checkpoint(given["newer"])
        need(old[0] == new[0])
        check_consistency(old[1], old[2], new[1], new[2], many("proof"))
    elif check == "tlog-proof":
        parse_file(given["file"])
    elif check == "event-proof":
        check_event_proof(given["policy"], given["file"])
    else:
        raise ValueError(check)


def bit(key, at):
    return key[at // 8] >> (7 - at % 8) & 1


def trie(first, rest, flag):
    """A node of the map: its first bit says whether it is a leaf."""
    hash_ = sha(first + rest)
    return bytes([hash_[0] & 0x7F | flag]) + hash_[1:]


def map_value(value):
    """One of the four values, to its last byte."""
    need(value)
    lengths = {1: 41, 3: 100, 4: 10}
    if value[0] == 2:
        need(len(value) in (42, 50) and value[1] == (len(value) == 50))
    else:
        need(lengths.get(value[0]) == len(value))
    if value[0] == 3:
        need(value[1] in (1, 2) and re.fullmatch(rb"[0-7][0-9A-HJKMNP-TV-Z]{25}", value[2:28]))
    if value[0] == 4:
        need(value[1] in (0, 1))


def check_map(root, key, proof):
    """The value of the key in the map, or None if it has none."""
    need(len(proof) >= 2 and proof[0] == 1 and proof[1] <= 2)
    value, at_end, rest = None, bytes(32), proof[2:]
    if proof[1] == 1:
        need(rest and rest[0] < len(rest))
        value, rest = rest[1:1 + rest[0]], rest[1 + rest[0]:]
        map_value(value)
        at_end = trie(key, sha(value), 0x80)
    elif proof[1] == 2:
        need(len(rest) >= 64)
        other, hash_, rest = rest[:32], rest[32:64], rest[64:]
        need(other != key and all(bit(other, at) == bit(key, at) for at in range(min(256, (len(rest) // 32)))))
        at_end = trie(other, hash_, 0x80)
    need(len(rest) % 32 == 0 and len(rest) <= 128 * 32)
    for depth in reversed(range(len(rest) // 32)):
        sibling = rest[32 * depth:32 * depth + 32]
        at_end = trie(sibling, at_end, 0) if bit(key, depth) else trie(at_end, sibling, 0)
    need(at_end == root)
    return value


def map_root(values, depth=0):
    """The root over these (key, value), from nothing but them."""
    if not values:
        return bytes(32)
    if len(values) == 1:
        return trie(values[0][0], sha(values[0][1]), 0x80)
    halves = [[value for value in values if bit(value[0], depth) == side] for side in (0, 1)]
    return trie(map_root(halves[0], depth + 1), map_root(halves[1], depth + 1), 0)


def check_map_vectors(vectors, wrong):
    root = bytes.fromhex(vectors["root"])
    if map_root([(bytes.fromhex(case["key"]), bytes.fromhex(case["value"])) for case in vectors["present"]]) != root:
        wrong.append("the map has another root than its keys and values make")
    for case in vectors["present"] + vectors["absent"]:
        parts = [b"chartseal/map/v1"] + [case["domain"].encode(), vectors["origin"].encode(), case["id"].encode()]
        try:
            value = check_map(root, sha(b"\0".join(parts)), bytes.fromhex(case["proof"]))
            need((value.hex() if value else None) == case.get("value"))
        except Refused:
            wrong.append(f"{case['id']} was refused")
    for case in vectors["must_fail"]:
        try:
            check_map(*(bytes.fromhex(case[part]) for part in ("root", "key", "proof")))
            wrong.append(f"{case['name']} was accepted")
        except Refused:
            pass
    good = len(vectors["present"]) + len(vectors["absent"])
    print(f"the map: {good} good and {len(vectors['must_fail'])} hostile vectors")


def main():
    golden = json.loads((VECTORS / "golden.json").read_text())
    hostile = json.loads((VECTORS / "must-fail.json").read_text())
    wrong = []
    for case in golden["cases"]:
        try:
            run(case["check"], case["input"])
        except Refused:
            wrong.append(f"{case['name']} was refused")
    for case in hostile:
        if case["name"] in BEYOND:
            continue
        try:
            run(case["check"], case["input"])
            wrong.append(f"{case['name']} was accepted")
        except Refused:
            pass
    keys = [key["vkey"] for key in golden["keys"]]
    policy = {"log": keys[0], "clock": keys[1], "witnesses": keys[2:], "quorum": 2}
    leaves = [bytes.fromhex(leaf) for leaf in golden["leaves"]]
    try:
        check_event_proof(policy, golden["file"])
        check_tiles(len(leaves), mth(leaves), golden["tiles"])
        check_chain([{"seal": block["seal"], "events": golden["leaves"][block["first_index"]:block["size"] - 1]}
                     for block in golden["blocks"]], golden["note"].split("\n\n")[0] + "\n")
    except Refused:
        wrong.append("the golden log was refused")
    check_map_vectors(json.loads((VECTORS / "map.json").read_text()), wrong)
    print(f"{len(golden['cases'])} good and {len(hostile) - len(BEYOND)} hostile vectors, {len(wrong)} judged otherwise")
    print("\n".join(wrong), end="")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
