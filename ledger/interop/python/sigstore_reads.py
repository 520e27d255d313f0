"""Sigstore's client reads our checkpoint and verifies our inclusion proofs.

    python -m venv V && V/bin/pip install -r ledger/interop/python/requirements.txt && V/bin/python ledger/interop/python/sigstore_reads.py
"""

import json
import pathlib
from types import SimpleNamespace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sigstore._internal import merkle
from sigstore._internal.rekor.checkpoint import SignedCheckpoint
from sigstore.errors import VerificationError

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "vectors"


class Keyring:
    """In the place of Sigstore's own: the keys of the golden log."""

    def __init__(self, keys):
        self.keys = keys

    def verify(self, *, key_id, signature, data):
        try:
            Ed25519PublicKey.from_public_bytes(self.keys[key_id[:4]]).verify(signature, data)
        except InvalidSignature as error:
            raise VerificationError("signature") from error


def included(leaf_hash, index, size, root, hashes):
    merkle._hash_leaf = lambda leaf: leaf  # the vectors have leaf hashes
    proof = SimpleNamespace(log_index=index, tree_size=size, root_hash=root, hashes=hashes)
    try:
        merkle.verify_merkle_inclusion(SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=proof, canonicalized_body=leaf_hash)))
    except VerificationError:
        return False
    return True


def main():
    import base64

    golden = json.loads((VECTORS / "golden.json").read_text())
    hostile = json.loads((VECTORS / "must-fail.json").read_text())
    log = golden["keys"][0]
    public = base64.b64decode(log["vkey"].split("+", 2)[2])[1:]
    keyring = Keyring({bytes.fromhex(log["id"]): public})
    read = SignedCheckpoint.from_text(golden["note"])
    read.signed_note.verify(keyring, bytes.fromhex(log["id"]))
    assert (read.checkpoint.origin, read.checkpoint.log_size) == ("vault.example", 297)
    try:
        SignedCheckpoint.from_text(golden["note"].replace("297", "298", 1)).signed_note.verify(keyring, bytes.fromhex(log["id"]))
        raise SystemExit("an altered checkpoint was verified")
    except VerificationError:
        pass
    good = [case["input"] for case in golden["cases"] if case["check"] == "inclusion"]
    bad = [case["input"] for case in hostile if case["check"] == "inclusion" and case["failure"] != "outside-tree"]
    judged = []
    for cases, due in ((good, True), (bad, False)):
        for case in cases:
            hashes = [bytes.fromhex(hash_) for hash_ in case["proof"]]
            outcome = included(bytes.fromhex(case["leaf"]), case["index"], case["size"], bytes.fromhex(case["root"]), hashes)
            judged.append(outcome == due)
    print(f"checkpoint verified; {len(good)} good and {len(bad)} hostile inclusion proofs, {judged.count(False)} judged otherwise")
    raise SystemExit(not all(judged))


main()
