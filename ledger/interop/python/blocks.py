"""A reader of the vault's stored blocks as somebody outside could write it from docs/LEDGER.md, "The stored block".

    python ledger/interop/python/blocks.py

Every good block must be read to the same fields and follow the one before it; every hostile one refused (with whatever words: the codes are the
ledger's own). What the map's operations do is hashed in outsider.py.
"""

import json
import re
import struct

from outsider import MAX_SIZE, VECTORS, Refused, mth, need, parse_seal, sha

MAX_BLOCK_BYTES, MAX_OPERATIONS = 300 * 1024, 4_000
ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
STREAM = re.compile(rf"vault|(?:provider|staff|record|request)/{ULID}|search/{ULID}/[0-9]{{8}}/(?:[0-9]|1[0-5])")


class Bytes:
    """What has not been read yet."""

    def __init__(self, data):
        self.rest = data

    def take(self, count):
        need(len(self.rest) >= count)
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, count):
        return int.from_bytes(self.take(count), "big")


def parse_edge(data):
    """The hashes of the partial tiles, by level."""
    edge = Bytes(data)
    size = edge.number(8)
    need(size <= MAX_SIZE)
    levels = [[edge.take(32) for _ in range(size >> 8 * level & 255)] for level in range(8)]
    need(not edge.rest)
    return size, levels


def parse_block(data):
    """A block by itself."""
    need(len(data) <= MAX_BLOCK_BYTES)
    block = Bytes(data)
    need(block.number(1) == 1)
    bytes_ = block.take(130)
    seal, places, leaves, last = parse_seal(bytes_), [], [], {}
    for _ in range(seal["events"]):
        try:
            stream = block.take(block.number(1)).decode()
        except UnicodeDecodeError:
            raise Refused from None
        seq = block.number(8)
        need(STREAM.fullmatch(stream))
        before = last.get(stream, seq - 1 if seal["height"] else -1)
        need(seq == before + 1)
        last[stream] = seq
        places.append((stream, seq))
        leaves.append(block.take(32))
    need((places[0] == ("vault", 0)) == (seal["height"] == 0) and mth(leaves) == seal["root"])
    operations = [block.take(block.number(2)) for _ in range(block.number(2))]
    need(all(operations) and len(operations) <= MAX_OPERATIONS and (seal["map_version"] or not operations))
    size, levels = parse_edge(block.rest)
    need(size == seal["index"] + 1)
    return seal | {"bytes": bytes_, "places": places, "leaves": leaves, "operations": operations, "levels": levels, "size": size}


def grown(levels, leaf, size):
    """The edge with one leaf more, and the tiles (level, index) that became full."""
    levels, full = [list(level) for level in levels], []
    for level, hashes in enumerate(levels):
        hashes.append(leaf)
        if len(hashes) < 256:
            break
        full.append((level, size >> 8 * (level + 1)))
        leaf = mth(hashes)
        hashes.clear()
    return levels, full


def follow(block, previous):
    """That it follows the block before, which is believed. Gives the tiles that became full by it."""
    need(block["height"] == (previous["height"] + 1 if previous else 0))
    need(block["first"] == (previous["size"] if previous else 0))
    if previous:
        need(block["prev"] == previous["leaf"] and block["time_ms"] > previous["time_ms"] and block["map_version"] >= previous["map_version"])
    levels, full, size = previous["levels"] if previous else [[] for _ in range(8)], [], block["first"]
    for leaf in [*block["leaves"], block["leaf"]]:
        levels, more = grown(levels, leaf, size)
        full += more
        size += 1
    need(levels == block["levels"])
    return full


def root(levels):
    """Of the whole log: the complete subtrees of each level, folded from the right."""
    hash_ = None
    for level in levels:
        at, peaks = 0, []
        for bit in range(7, -1, -1):
            if len(level) >> bit & 1:
                peaks.append(mth(level[at:at + (1 << bit)]))
                at += 1 << bit
        for peak in reversed(peaks):
            hash_ = peak if hash_ is None else sha(b"\x01" + peak + hash_)
    return hash_


def path(level, index):
    groups = re.findall("...", f"{index:0{-(-len(str(index)) // 3) * 3}}")
    return f"tile/{level}/" + "/".join(["x" + group for group in groups[:-1]] + groups[-1:])


def bytes_of(text):
    return bytes.fromhex(text["repeat"]) * text["times"] if isinstance(text, dict) else bytes.fromhex(text)


def main():
    vectors, wrong, good = json.loads((VECTORS / "blocks.json").read_text()), [], []
    for case in vectors["blocks"]:
        block = parse_block(bytes.fromhex(case["bytes"]))
        full = [path(*tile) for tile in follow(block, good[-1] if good else None)]
        edge = struct.pack(">Q", block["size"]) + b"".join(hash_ for level in block["levels"] for hash_ in level)
        read = {
            "height": block["height"], "bytes": case["bytes"], "seal": block["bytes"].hex(), "edge": edge.hex(), "full_tiles": full,
            "root": root(block["levels"]).hex(), "operations": [operation.hex() for operation in block["operations"]],
            "events": [[stream, seq, leaf.hex()] for (stream, seq), leaf in zip(block["places"], block["leaves"])],
        }
        wrong += [f"block {block['height']}: {member}" for member in case.keys() | read.keys() if case.get(member) != read.get(member)]
        good.append(block)
    for case in vectors["must_fail"]:
        try:
            after = case.get("after")
            follow(parse_block(bytes_of(case["bytes"])), None if after is None else good[after])
            wrong.append(f"{case['name']} was accepted")
        except Refused:
            pass
    print(f"{len(good)} good and {len(vectors['must_fail'])} hostile blocks, {len(wrong)} judged otherwise")
    print("\n".join(wrong), end="")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
