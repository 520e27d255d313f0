"""Somebody else's code against a node: the packages aics-witness and aics-tlog, which share nothing with ours.

1. Their reader takes the node's tiles, and every leaf must be the log's.
2. Their client of witnesses brings checkpoints, with consistency proofs made from those tiles, and verifies what comes back.
3. Their witness is given the frozen requests (node/vectors), and must answer with the frozen status and type.

Run by `cargo test -p chartseal-node --test node interop -- --ignored`, which starts the node and writes the task.
"""

import base64
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from aics_tlog import HttpTileReader, VerifiedTileReader, checkpoint, note
from aics_tlog.tiles import consistency_proof_from_tiles
from aics_witness.feeder import WitnessClient, WitnessRejected, merge_cosignatures

VECTORS = pathlib.Path(__file__).parent.parent / "vectors" / "add-checkpoint.json"
# Only a witness with a copy of the log's content answers otherwise.
OURS_ALONE = "ahead of the witness' copy"


def tiles(task):
    (size, signed) = task["checkpoints"][-1]
    head = checkpoint.parse_checkpoint(note.parse_note(signed).text)
    reader = VerifiedTileReader(HttpTileReader(task["url"], proxies={}), size, head.root)
    leaves = [base64.b64encode(reader.leaf_hash(index)).decode() for index in range(size)]
    assert leaves == task["leaves"], "another leaf"
    print(f"tiles: {size} leaves read and followed to the root")
    return reader


def client(task, reader):
    witness, log = note.parse_vkey(task["witness"]), note.parse_vkey(task["log"])
    with WitnessClient(task["url"], witness, max_attempts=1) as bring:
        def proof(old, new):
            # Of the size that is asked for: a reader of today's tiles has the older ones' beginnings.
            root = next(root_of(signed) for size, signed in task["checkpoints"] if size == new)
            at = VerifiedTileReader(HttpTileReader(task["url"], proxies={}), new, root)
            return consistency_proof_from_tiles(at, old, new)

        for size, signed in task["checkpoints"]:
            lines = bring.submit(signed, proof)
            merged = merge_cosignatures(signed, lines)
            merged = merged if isinstance(merged, (str, bytes)) else merged.serialise()
            shown = checkpoint.verify_checkpoint(note.parse_note(merged), log, [witness], 1, max_age_seconds=60)
            assert shown.ok, shown
            print(f"cosigned: {size} leaves")
        try:
            bring.submit(task["forged"], (task["checkpoints"][-1][0], []))
        except WitnessRejected as refused:
            assert refused.status == 422, refused
            print(f"another root of the same size: {refused.status}")
        else:
            raise AssertionError("a forged checkpoint was cosigned")


def root_of(signed):
    return checkpoint.parse_checkpoint(note.parse_note(signed).text).root


def witness():
    vectors = json.loads(VECTORS.read_text())
    with tempfile.TemporaryDirectory() as folder:
        config = f"{folder}/witness.json"
        run = [sys.executable, "-m", "aics_witness"]
        subprocess.run([*run, "init", "--config", config, "--name", "other.example/w"], check=True, capture_output=True)
        origin = vectors["log"].split("+")[0]
        add = ["add-log", "--config", config, "--origin", origin, "--vkey", vectors["log"]]
        subprocess.run([*run, *add], check=True, capture_output=True)
        serving = subprocess.Popen(
            [*run, "serve", "--config", config, "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            url = next(found.group(0) for line in serving.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
            for case in vectors["cases"]:
                if case["name"] == OURS_ALONE:
                    continue
                status, kind = post(f"{url}/add-checkpoint", case["request"])
                same = status == case["status"] and (status not in (200, 409) or kind == case["content_type"])
                print(f"{'same' if same else 'OTHER'}: {case['name']}: {status} {kind}, ours {case['status']} {case['content_type']}")
                assert same
        finally:
            serving.terminate()
            serving.wait()


def post(url, body):
    request = urllib.request.Request(url, data=body.encode(), method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.headers["content-type"]
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers["content-type"]


if __name__ == "__main__":
    task = json.loads(pathlib.Path(sys.argv[1]).read_text())
    client(task, tiles(task))
    witness()
