"""The parameters of TLS as a context of Python's ``ssl``, or the reason why they cannot be one."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any, Final

from .parameters import BY_NAME, ConfigError

# The parameters that a context is made from.
NAMES: Final = (
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-auth-clients",
    "tls-protocols",
    "tls-ciphers",
    "tls-ciphersuites",
    "tls-prefer-server-ciphers",
    "tls-dh-params-file",
)
ATTRIBUTES: Final = frozenset(BY_NAME[name].attribute for name in NAMES)

_VERIFY: Final = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "yes": ssl.CERT_REQUIRED}
_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def build(settings: Mapping[str, Any]) -> ssl.SSLContext:
    """Make a context from values by attribute name; it reads all files. Raises ConfigError, which names the parameter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # A client could make the server work by asking for handshakes again and again.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not settings["tls_prefer_server_ciphers"]:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    _set_versions(context, settings["tls_protocols"])
    _set_ciphers(context, settings["tls_ciphers"], settings["tls_ciphersuites"])
    _set_certificate(context, settings)
    _set_authorities(context, settings)
    if settings["tls_dh_params_file"]:
        _check_file("tls-dh-params-file", settings["tls_dh_params_file"])
        try:
            context.load_dh_params(settings["tls_dh_params_file"])
        except (ssl.SSLError, OSError) as error:
            raise _failure("tls-dh-params-file", "no usable parameters", error) from error
    return context


def _set_versions(context: ssl.SSLContext, protocols: str) -> None:
    versions = sorted(_VERSIONS[word] for word in protocols.split() or _VERSIONS)
    context.minimum_version, context.maximum_version = versions[0], versions[-1]


def _set_ciphers(context: ssl.SSLContext, ciphers: str, suites: str) -> None:
    if ciphers:
        try:
            context.set_ciphers(ciphers)
        except (ssl.SSLError, ValueError) as error:
            raise _failure("tls-ciphers", "no such ciphers", error) from error
    if suites:
        set_suites = getattr(context, "set_ciphersuites", None)
        if set_suites is None:
            raise ConfigError("the suites of TLSv1.3 can be chosen from Python 3.15 on", "tls-ciphersuites")
        try:
            set_suites(suites)
        except (ssl.SSLError, ValueError) as error:
            raise _failure("tls-ciphersuites", "no such suites", error) from error


def _set_certificate(context: ssl.SSLContext, settings: Mapping[str, Any]) -> None:
    certificate, key = settings["tls_cert_file"], settings["tls_key_file"]
    for name, path in (("tls-cert-file", certificate), ("tls-key-file", key)):
        if not path:
            raise ConfigError(f"TLS needs {name}", name)
        _check_file(name, path)
    password = settings["tls_key_file_pass"].encode(errors="surrogateescape")
    try:
        # Without a function for the password OpenSSL would ask for it on the terminal.
        context.load_cert_chain(certificate, key, lambda: password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise _failure("tls-cert-file", f"{certificate} and {key} are not a certificate with its key", error) from error


def _set_authorities(context: ssl.SSLContext, settings: Mapping[str, Any]) -> None:
    file, folder, wanted = settings["tls_ca_cert_file"], settings["tls_ca_cert_dir"], settings["tls_auth_clients"]
    if wanted != "no" and not (file or folder):
        reason = f"'tls-auth-clients {wanted}' needs tls-ca-cert-file or tls-ca-cert-dir"
        raise ConfigError(reason, "tls-auth-clients")
    if file:
        _check_file("tls-ca-cert-file", file)
        try:
            context.load_verify_locations(cafile=file)
        except (ssl.SSLError, OSError) as error:
            raise _failure("tls-ca-cert-file", f"{file} has no usable certificates", error) from error
    if folder:
        if not os.path.isdir(folder):
            raise ConfigError(f"{folder} is not a directory", "tls-ca-cert-dir")
        context.load_verify_locations(capath=folder)
    context.verify_mode = _VERIFY[wanted]


def _check_file(name: str, path: str) -> None:
    """Raises ConfigError for a file that cannot be read: what ``ssl`` says does not name it."""
    try:
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}", name) from error


def _failure(name: str, text: str, error: Exception) -> ConfigError:
    return ConfigError(f"{text}: {reason_of(error)}", name)


def reason_of(error: Exception) -> str:
    """Why OpenSSL has failed, in its words, without the place in its source."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    reason = getattr(error, "reason", None)  # some errors of ssl have none
    if isinstance(error, ssl.SSLError) and reason:
        return str(reason).lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)
