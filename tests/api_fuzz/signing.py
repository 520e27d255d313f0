"""What a wallet does, written from docs/EVENT-LOG.md and apart from the client: compact JWS (RFC 7515, EdDSA), ULIDs, commitments, read tokens.

With it fuzzed input comes past the signature, to the code behind it.
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

COMMAND = "chartseal-command+jws"
READ = "chartseal-read+jwt"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MAX_TOKEN_LIFE_SECONDS = 60


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def ulid(time_ms=None):
    """A fresh ULID of now, or of another time."""
    number = (int(time.time() * 1000) if time_ms is None else time_ms) << 80 | secrets.randbits(80)
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def dumps(value):
    """JSON that can always be sent: lone surrogates stay escaped."""
    return json.dumps(value, separators=(",", ":")).encode()


def text_bytes(text):
    return text.encode("utf-8", "surrogatepass")


@dataclass
class Wallet:
    """A signing key with the name it signs under."""

    key: Ed25519PrivateKey
    kid: str
    act: str | None = None

    @classmethod
    def of(cls, given):
        return cls(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(given["seed"])), given["kid"], given.get("act"))

    @classmethod
    def new(cls):
        """A key that nobody has registered; its name is its thumbprint (RFC 7638)."""
        key = Ed25519PrivateKey.generate()
        jwk = {"crv": "Ed25519", "kty": "OKP", "x": base64url(public(key))}
        return cls(key, base64url(hashlib.sha256(dumps(jwk)).digest()))

    def sign(self, typ, payload, header=None, spoil=False):
        """A compact JWS over these payload bytes; a spoilt one has a bit of its signature flipped."""
        header = {"alg": "EdDSA", "kid": self.kid, "typ": typ} | (header or {})
        signed = f"{base64url(dumps(header))}.{base64url(payload)}"
        signature = bytearray(self.key.sign(signed.encode()))
        signature[5] ^= spoil
        return f"{signed}.{base64url(bytes(signature))}"

    def read_token(self, aud, method, path, changes=None):
        now = int(time.time())
        claims = {"aud": aud, "iat": now, "exp": now + MAX_TOKEN_LIFE_SECONDS, "htm": method, "htu": path}
        if self.act:
            claims["act"] = self.act
        return self.sign(READ, dumps(claims | (changes or {})))


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def private_part(values):
    """Private values with fresh salts, and the commitments to them."""
    part = {name: {"salt": base64url(secrets.token_bytes(16)), "value": value} for name, value in values.items()}
    return part, {name: commitment(one) for name, one in part.items()}


def commitment(value):
    salt = base64.urlsafe_b64decode(value["salt"] + "==")
    return hashlib.sha256(salt + text_bytes(value["value"])).hexdigest()


def leaf_hash(body):
    return hashlib.sha256(b"\0\1" + body.encode()).hexdigest()
