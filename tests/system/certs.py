"""Certificates for hosts of tests: an authority, leaves below it, self-signed and expired ones; what TLSA records say of them."""
import hashlib
import os
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import serialization


def _run(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Certs:
    """Files in a directory; each maker gives (certificate, key), and the certificate's file holds the whole chain."""

    def __init__(self, directory):
        self.dir, self.count = directory, 0

    def _names(self):
        self.count += 1
        return [os.path.join(self.dir, "%d.%s" % (self.count, kind)) for kind in ("crt", "key", "csr", "ext")]

    def _make(self, name, issuer, days, extensions):
        crt, key, csr, ext = self._names()
        with open(ext, "w") as f:
            f.write(extensions)
        _run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name, "-keyout", key, "-out", csr)
        signer = ["-CA", issuer[0], "-CAkey", issuer[1], "-CAcreateserial"] if issuer else ["-signkey", key]
        _run("x509", "-req", "-in", csr, *signer, "-days", str(days), "-extfile", ext, "-out", crt)
        if issuer:
            with open(crt, "a") as f, open(issuer[0]) as above:
                f.write(above.read())
        return crt, key

    def authority(self, name="Test authority", issuer=None):
        """issuer None: the top of a chain."""
        return self._make(name, issuer, 2, "basicConstraints=critical,CA:true\nkeyUsage=keyCertSign\n")

    def leaf(self, name, issuer=None, days=2):
        """For one host name; issuer None: self-signed; days < 0: expired."""
        return self._make(name, issuer, days, "subjectAltName=DNS:%s\n" % name)


def _chain(path):
    with open(path, "rb") as f:
        parts = f.read().split(b"-----BEGIN CERTIFICATE-----")[1:]
    return [x509.load_pem_x509_certificate(b"-----BEGIN CERTIFICATE-----" + p) for p in parts]


def tlsa(path, usage=3, selector=1, matching=1, above=None):
    """"3 1 1 DIGEST" of the leaf (usages 1, 3) or of the last certificate of the chain (0, 2), or of the one so many `above` the first."""
    chain = _chain(path)
    c = chain[above if above is not None else 0 if usage in (1, 3) else -1]
    octets = (c.public_bytes(serialization.Encoding.DER) if selector == 0 else
              c.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    digest = {0: octets.hex(), 1: hashlib.sha256(octets).hexdigest(), 2: hashlib.sha512(octets).hexdigest()}[matching]
    return "%d %d %d %s" % (usage, selector, matching, digest)
