"""The official AWS Encryption SDK at the other end: seals and opens messages for interop.rs.

One JSON request on standard input, one JSON answer on standard output; bytes are hexadecimal, messages are files.

    {"do": "open", "wrapping_key", "message": path, "plaintext": path}                    -> {"context": {...}, "suite", "frame_bytes"}
    {"do": "seal", "wrapping_key", "plaintext": path, "message": path, "context": {...}, "frame_bytes"} -> {"data_key"}

The data key is wrapped under a raw AES-256 key, so that no KMS is needed.
"""

import json
import sys

import aws_encryption_sdk
from aws_encryption_sdk.identifiers import Algorithm, CommitmentPolicy, EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider
from aws_encryption_sdk.materials_managers.default import DefaultCryptoMaterialsManager

SUITE = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
KEY_ID = b"interop"


class Provider(RawMasterKeyProvider):
    provider_id = "chartseal-interop"

    def _get_raw_key(self, key_id):
        return WrappingKey(
            wrapping_algorithm=WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING,
            wrapping_key=self.raw_key,
            wrapping_key_type=EncryptionKeyType.SYMMETRIC,
        )


class Watching(DefaultCryptoMaterialsManager):
    """Remembers the data key of the message being sealed, for the test alone."""

    def get_encryption_materials(self, request):
        materials = super().get_encryption_materials(request)
        self.data_key = materials.data_encryption_key.data_key
        return materials


def provider(wrapping_key):
    made = Provider()
    made.raw_key = bytes.fromhex(wrapping_key)
    made.add_master_key(KEY_ID)
    return made


def client():
    return aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)


def open_message(request):
    with open(request["message"], "rb") as file:
        message = file.read()
    plaintext, header = client().decrypt(source=message, key_provider=provider(request["wrapping_key"]))
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
    manager = Watching(provider(request["wrapping_key"]))
    message, _ = client().encrypt(
        source=plaintext,
        materials_manager=manager,
        encryption_context=request["context"],
        algorithm=SUITE,
        frame_length=request["frame_bytes"],
    )
    with open(request["message"], "wb") as file:
        file.write(message)
    return {"data_key": manager.data_key.hex()}


def main():
    request = json.load(sys.stdin)
    answer = {"open": open_message, "seal": seal_message}[request["do"]](request)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
