"""Access to the scheduler given by `RECSCOPE_SCHEDULER`, and the security of the connection.

Anyone who can connect to a Dask scheduler can run code on its workers, and anyone who can read the traffic sees the
data. Connections to other machines are therefore encrypted, with certificates on both sides, unless the operator
declares the network trusted.
"""

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from recsys_core.errors import ConfigError
from recsys_core.text import _

ENCRYPTED = ("tls", "wss")
PLAIN = ("tcp", "ws")
DEFAULT_SCHEME = "tcp"
CERTIFICATES = ("RECSCOPE_TLS_CA", "RECSCOPE_TLS_CERT", "RECSCOPE_TLS_KEY")


@dataclass(frozen=True)
class SchedulerAccess:
    """Address and credentials of an existing Dask cluster.

    Args:
        address: Such as `tls://cluster.example.org:8786` (`RECSCOPE_SCHEDULER`).
        authority: File with the CA certificate (`RECSCOPE_TLS_CA`).
        certificate: File with the client certificate (`RECSCOPE_TLS_CERT`).
        key: File with its private key (`RECSCOPE_TLS_KEY`); empty if the certificate file contains it.
        insecure: Whether unencrypted connections to other machines are allowed (`RECSCOPE_INSECURE_SCHEDULER`).
    """

    address: str
    authority: str = ""
    certificate: str = ""
    key: str = ""
    insecure: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self | None:
        """Read the settings; None without a cluster."""
        address = environment.get("RECSCOPE_SCHEDULER", "").strip()
        if not address:
            return None
        insecure = environment.get("RECSCOPE_INSECURE_SCHEDULER", "").strip() == "1"
        authority, certificate, key = (environment.get(name, "").strip() for name in CERTIFICATES)
        return cls(address, authority, certificate, key, insecure)

    @property
    def scheme(self) -> str:
        """The protocol; defaults to Dask's."""
        scheme, separator, _ = self.address.partition("://")
        return scheme.lower() if separator else DEFAULT_SCHEME

    @property
    def host(self) -> str:
        """The host, without port and brackets."""
        rest = self.address.rpartition("://")[2].partition("/")[0]
        if rest.startswith("["):
            return rest[1:].partition("]")[0].lower()
        return (rest.rpartition(":")[0] or rest).lower()

    def check(self) -> None:
        """Check that the connection is secure before anything is sent.

        Raises:
            ConfigError: The connection is insecure, or a certificate is missing.
        """
        if self.scheme not in (*ENCRYPTED, *PLAIN):
            raise ConfigError(
                _("RECSCOPE_SCHEDULER={address} is not a scheduler address; write tls://host:8786.").format(
                    address=self.address
                )
            )
        if self.scheme in PLAIN:
            if not self.insecure and not is_this_machine(self.host):
                raise ConfigError(
                    _(
                        "RECSCOPE_SCHEDULER={address} would send data and code to another machine "
                        "unencrypted. Use tls:// and set RECSCOPE_TLS_CA, RECSCOPE_TLS_CERT and "
                        "RECSCOPE_TLS_KEY, or set RECSCOPE_INSECURE_SCHEDULER=1 if everyone on that network "
                        "may read the data and run code."
                    ).format(address=self.address)
                )
            return
        for name, path in zip(CERTIFICATES, (self.authority, self.certificate, self.key), strict=True):
            if not path and name != CERTIFICATES[-1]:
                raise ConfigError(
                    _("RECSCOPE_SCHEDULER={address} needs a certificate: set {name} to its file.").format(
                        address=self.address, name=name
                    )
                )
            if path and not Path(path).is_file():
                raise ConfigError(_("{name} is '{path}', which is not a file.").format(name=name, path=path))

    def security(self) -> Any:
        """Return Dask's security settings; None for an unencrypted connection.

        Raises:
            ConfigError: See `check`.
        """
        from distributed.security import Security

        self.check()
        if self.scheme in PLAIN:
            return None
        return Security(  # type: ignore[no-untyped-call]
            require_encryption=True,
            tls_ca_file=self.authority,
            tls_client_cert=self.certificate,
            tls_client_key=self.key or None,
        )


def is_this_machine(host: str) -> bool:
    """Return whether a host is this machine, without network access: loopback, host name, own addresses."""
    if host in ("localhost", socket.gethostname().lower()):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    own = (entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries)
    return address.is_loopback or address.is_unspecified or host in own
