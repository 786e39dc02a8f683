"""A certificate authority in a folder, in place of cert-manager. Needs openssl."""

import pathlib
import subprocess

DAYS = "2"


class Authority:
    """Issues certificates for pods and callers."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self._folder.mkdir()
        self._make(self._folder / "ca.crt", self._folder / "ca.key", "/CN=apollo-ca",
                   ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"])

    def _make(self, certificate, key, subject, extensions, *options):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc",
                   "-days", DAYS, "-subj", subject, "-keyout", key, "-out", certificate, *options]
        for extension in extensions:
            command += ["-addext", extension]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode != 0:
            raise AssertionError(f"openssl: {result.stdout}")

    def issue(self, folder, uris=(), dns_names=(), addresses=()):
        """Writes tls.crt, tls.key and ca.crt into a new folder."""
        folder = pathlib.Path(folder)
        folder.mkdir()
        names = [f"URI:{uri}" for uri in uris] + [f"DNS:{name}" for name in dns_names]
        names += [f"IP:{address}" for address in addresses]
        self._make(folder / "tls.crt", folder / "tls.key", "/", ["subjectAltName=critical," + ",".join(names),
                                                                 "basicConstraints=critical,CA:FALSE",
                                                                 "extendedKeyUsage=serverAuth,clientAuth"],
                   "-CA", self._folder / "ca.crt", "-CAkey", self._folder / "ca.key")
        (folder / "tls.key").chmod(0o640)
        (folder / "ca.crt").write_text((self._folder / "ca.crt").read_text())
