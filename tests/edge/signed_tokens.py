"""JSON Web Tokens signed by an RSA key, with openssl."""

import base64
import json
import subprocess
import time

ISSUER, AUDIENCE = "https://login.example.org", "apollo"


def _encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*words, stdin=b""):
    return subprocess.run(["openssl", *words], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True).stdout


class Signer:
    """A key in a folder."""

    def __init__(self, folder, name="signer"):
        self._key, self._name = folder / f"{name}.rsa", name
        _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self._key)

    def public_keys(self):
        """Returns the JSON Web Key Set of its public key, whose exponent is 65537."""
        modulus = _openssl("rsa", "-in", self._key, "-noout", "-modulus").decode().strip().partition("=")[2]
        return json.dumps({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._name, "e": "AQAB",
                                     "n": _encode(bytes.fromhex(modulus))}]})

    def sign(self, subject, seconds=3600, **claims):
        """Returns a token that ends in so many seconds. `claims` replace its others."""
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": int(time.time()) + seconds, **claims}
        parts = ({"alg": "RS256", "typ": "JWT", "kid": self._name}, claims)
        text = ".".join(_encode(json.dumps(part).encode()) for part in parts)
        return f"{text}.{_encode(_openssl('dgst', '-sha256', '-sign', self._key, stdin=text.encode()))}"
