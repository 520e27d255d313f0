"""Opens a message with the official AWS Encryption SDK through KMS: the message on standard input, the KMS key's ARN as argument."""

import hashlib
import json
import sys

import aws_encryption_sdk
from aws_encryption_sdk.identifiers import CommitmentPolicy

client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[sys.argv[1]])
plaintext, header = client.decrypt(source=sys.stdin.buffer.read(), key_provider=provider)
print(json.dumps({"sha256": hashlib.sha256(plaintext).hexdigest(), "context": header.encryption_context}))
