"""The certificate of the rows with TLS: ECDSA P-256, made for the run."""

from __future__ import annotations

import subprocess
from pathlib import Path

from procs import BenchError


def certificate(work: Path) -> tuple[Path, Path]:
    """Certificate and key, both for 127.0.0.1; beside the certificate `pair.pem` has both in one file."""
    cert, key = work / "site.crt", work / "site.key"
    if not cert.exists():
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
        try:
            subprocess.run(argv, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as err:
            raise BenchError(f"openssl made no certificate: {err}") from err
        (work / "pair.pem").write_text(cert.read_text() + key.read_text())
    return cert, key
