"""The official AWS Encryption SDK for Python at the other end: seals and opens messages for chartseal-interop.

One JSON request a line on standard input, one JSON answer a line on standard output; bytes are hexadecimal, messages are files.

    {"do": "open", "wrapping_key", "namespace", "name", "message": path, "plaintext": path} -> {"context": {...}, "suite", "frame_bytes"}
    {"do": "seal", "wrapping_key", "namespace", "name", "plaintext": path, "message": path, "context": {...}, "frame_bytes"} -> {}
    {"do": "bench", "bytes", "frame_bytes"} -> {"seal_mb_s", "open_mb_s"}, the best of three runs in memory
    what fails                              -> {"error": text}

The data key is wrapped under a raw AES-256 key, so that no KMS is needed. Whole buffers are given to the SDK: its fastest way.
"""

import json
import logging
import os
import sys
import time

import aws_encryption_sdk
from aws_encryption_sdk.identifiers import Algorithm, CommitmentPolicy, EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider

SUITE = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
BENCH_RUNS = 3


class Provider(RawMasterKeyProvider):
    provider_id = None  # the SDK wants it on the class; each instance says its own

    def _get_raw_key(self, key_id):
        return WrappingKey(
            wrapping_algorithm=WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING,
            wrapping_key=self.raw_key,
            wrapping_key_type=EncryptionKeyType.SYMMETRIC,
        )


def provider(wrapping_key, namespace, name):
    made = type("NamedProvider", (Provider,), {"provider_id": namespace})()
    made.raw_key = wrapping_key
    made.add_master_key(name.encode())
    return made


def named(request):
    return provider(bytes.fromhex(request["wrapping_key"]), request["namespace"], request["name"])


def client():
    return aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


def encrypt(plaintext, key_provider, context, frame_bytes):
    message, _ = client().encrypt(
        source=plaintext,
        key_provider=key_provider,
        encryption_context=context,
        algorithm=SUITE,
        frame_length=frame_bytes,
    )
    return message


def open_message(request):
    with open(request["message"], "rb") as file:
        message = file.read()
    plaintext, header = client().decrypt(source=message, key_provider=named(request))
    with open(request["plaintext"], "wb") as file:
        file.write(plaintext)
    return {
        "context": dict(header.encryption_context),
        "suite": header.algorithm.algorithm_id,
        "frame_bytes": header.frame_length,
    }


def seal_message(request):
    with open(request["plaintext"], "rb") as file:
        plaintext = file.read()
    message = encrypt(plaintext, named(request), request["context"], request["frame_bytes"])
    with open(request["message"], "wb") as file:
        file.write(message)
    return {}


def bench(request):
    plaintext = os.urandom(request["bytes"])
    key_provider = provider(os.urandom(32), "bench", "bench")
    context = {"record": "01JDB3YQ7X0000000000000000", "tenant": "vault.example", "version": "1"}
    seal_s, open_s = [], []
    for _ in range(BENCH_RUNS):
        start = time.perf_counter()
        message = encrypt(plaintext, key_provider, context, request["frame_bytes"])
        sealed = time.perf_counter()
        opened, _ = client().decrypt(source=message, key_provider=key_provider)
        open_s.append(time.perf_counter() - sealed)
        seal_s.append(sealed - start)
        if opened != plaintext:
            raise ValueError("another plaintext came back")
    megabytes = len(plaintext) / 1e6
    return {"seal_mb_s": megabytes / min(seal_s), "open_mb_s": megabytes / min(open_s)}


def main():
    logging.disable()  # what the SDK refuses it also logs; the answer says it
    commands = {"open": open_message, "seal": seal_message, "bench": bench}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = commands[request["do"]](request)
        except Exception as error:  # whatever the SDK raises is its answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
