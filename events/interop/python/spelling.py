"""How bytes, ids, keys and JSON are spelled in an event log, and Ed25519. docs/EVENT-LOG.md, "Encodings"; what a command is: commands.py."""

import base64
import functools
import hashlib
import json
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MAX_NUMBER, MAX_SMALL = 2**64 - 1, 2**32 - 1


class Refused(Exception):
    """With a code: of the document where it names one, of this file (`event`, `link`, `seen`, `unsound`) where it does not."""


def need(holds, code):
    if not holds:
        raise Refused(code)


def sha(data):
    return hashlib.sha256(data).digest()


def strict_json(data, code):
    """JSON without doubled names, fractions, exponents, signs, or strings that are not Unicode."""

    def names_once(pairs):
        need(len(dict(pairs)) == len(pairs), code)
        return dict(pairs)

    def number(text):
        need(text.isdigit() and int(text) <= MAX_NUMBER, code)
        return int(text)

    def refuse(_):
        raise Refused(code)

    try:
        value = json.loads(data.decode(), object_pairs_hook=names_once, parse_int=number, parse_float=refuse, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates
    except (ValueError, RecursionError):
        raise Refused(code) from None
    return value


def members(value, names, code, optional=()):
    need(isinstance(value, dict) and set(names) <= set(value) <= set(names) | set(optional), code)


def b64url(text, length, code):
    need(isinstance(text, str) and re.fullmatch("[A-Za-z0-9_-]*", text), code)
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Refused(code) from None
    need(base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text and length in (None, len(data)), code)
    return data


def is_hash(text):
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text) is not None


def is_ulid(text):
    return isinstance(text, str) and re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", text) is not None


def is_count(value, least=0, most=MAX_NUMBER):
    return type(value) is int and least <= value <= most


def ulid_ms(text):
    return functools.reduce(lambda number, char: number * 32 + CROCKFORD.index(char), text[:10], 0)


def derived(kind, command):
    random = sha(b"\0".join([b"chartseal/id/v1", kind.encode(), command["kid"].encode(), command["jti"].encode()]))[:10]
    number = ulid_ms(command["jti"]) << 80 | int.from_bytes(random, "big")
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def thumbprint(public_key):
    return base64.urlsafe_b64encode(sha(b'{"crv":"Ed25519","kty":"OKP","x":"%s"}' % public_key.encode())).rstrip(b"=").decode()


# Ed25519: RFC 8032 sections 5.1.3 and 5.1.7, strictly. The library verifies without the cofactor; what it lets pass is looked at here.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


@functools.cache
def large_order(data):
    """Whether these 32 bytes are the one spelling of a point whose order is more than 8."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    if y >= P:
        return False
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and sign):
        return False
    for _ in range(3):  # doubled three times, the points of small order are the neutral one
        product = D * x * x * y * y % P
        x, y = 2 * x * y * pow(1 + product, -1, P) % P, (y * y + x * x) * pow(1 - product, -1, P) % P
    return (x, y) != (0, 1)


@functools.cache
def signed(public_key, signature, message):
    if not (large_order(public_key) and large_order(signature[:32]) and int.from_bytes(signature[32:], "little") < L):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
