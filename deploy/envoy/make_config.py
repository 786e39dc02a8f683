#!/usr/bin/env python3
"""Writes the configuration of an Envoy in front of routers into a folder: envoy.yaml, what it names, and connections.nft,
the limits of each address for the kernel.

Usage: deploy/envoy/make_config.py --out FOLDER --routers ADDRESSES [OPTION...]
docs/edge.md describes the parts; --help lists the options. Needs python3-jinja2.
"""

import argparse
import json
import pathlib
import re
import sys

import jinja2

HERE = pathlib.Path(__file__).absolute().parent
MOST_PORT = 65535


def socket_address(text):
    """Returns an address of Envoy's configuration for host:port or [host]:port. For argparse."""
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})", text)
    if not found or int(found[3]) > MOST_PORT:
        raise argparse.ArgumentTypeError(f'"{text}" is not host:port with a port from 0 to {MOST_PORT}')
    return json.dumps({"socket_address": {"address": found[1] or found[2], "port_value": int(found[3])}})


def optional_address(text):
    return socket_address(text) if text else ""


def positive(text):
    if not re.fullmatch(r"[1-9]\d{0,11}", text):
        raise argparse.ArgumentTypeError(f'"{text}" is not a whole number of at least 1')
    return int(text)


def trust_domain(text):
    if not re.fullmatch(r"[a-z0-9._-]+", text):
        raise argparse.ArgumentTypeError(f'"{text}" is not a trust domain; it must consist of [a-z0-9._-]')
    return text


def read_options():
    parser = argparse.ArgumentParser(description="Writes the configuration of an Envoy in front of routers.")
    add = parser.add_argument
    add("--out", required=True, type=pathlib.Path, help="folder for envoy.yaml, secrets/ and connections.nft; made if missing")
    add("--routers", required=True, metavar="ADDRESSES",
        help="host:port,host:port, of which each name stands for all its addresses in DNS; or file:PATH, a file with "
             "the ClusterLoadAssignment \"routers\", read again when another one is renamed to it")
    add("--dns-server", type=optional_address, default="", metavar="ADDRESS",
        help="IP address and port of the server that is asked for names (default: those of /etc/resolv.conf)")
    add("--listen", type=socket_address, default="0.0.0.0:443", help="port of clients (default: %(default)s)")
    add("--metrics-listen", type=optional_address, default="127.0.0.1:9901",
        help="port of /metrics and /ready, in plaintext; empty: none (default: %(default)s)")
    add("--admin", default="/run/apollo-edge/admin.sock",
        help="Unix socket of Envoy's administration (default: %(default)s)")
    add("--tls", type=pathlib.Path, default=pathlib.Path("/etc/apollo-edge/tls"), metavar="FOLDER",
        help="has server.pem and server.key, which clients see; clients_ca.pem, their authorities; edge.pem and "
             "edge.key, which routers see; and routers_ca.pem, the authorities of routers (default: %(default)s)")
    add("--clients", choices=("certificates", "tokens"), default="certificates",
        help="how clients prove who they are (default: %(default)s)")
    add("--jwt-keys", help="file with the JSON Web Key Set that signs tokens, as of the routers' --jwt_keys")
    add("--issuer", help="issuer of tokens")
    add("--audience", help="audience of tokens")
    add("--trust-domain", type=trust_domain, default="apollo", help="as of the routers (default: %(default)s)")
    add("--node", default="edge", help="name of this Envoy (default: %(default)s)")
    for name, default, what in (
            ("max-connections", 10000, "connections of clients"),
            ("connections-per-second", 200, "new connections; twice as many at once"),
            ("address-connections", 200, "connections of an address; in connections.nft"),
            ("address-connections-per-second", 20, "new connections of an address, twice as many at once; in connections.nft"),
            ("max-streams", 100, "calls at a time of a connection"),
            ("calls-per-second", 50, "calls of an address; twice as many at once"),
            ("max-calls", 4096, "calls at a time of all clients"),
            ("max-message-bytes", 4 << 20, "size of a request"),
            ("max-metadata-kilobytes", 16, "metadata of a call"),
            ("max-heap-bytes", 1 << 30, "memory; near it, calls are refused and then connections")):
        add(f"--{name}", type=positive, default=default, help=f"{what} (default: %(default)s)")
    options = parser.parse_args()
    token_options = (options.jwt_keys, options.issuer, options.audience)
    if options.clients == "tokens" and not all(token_options):
        parser.error("--clients=tokens needs --jwt-keys, --issuer and --audience")
    if options.clients == "certificates" and any(token_options):
        parser.error("--jwt-keys, --issuer and --audience need --clients=tokens")
    try:
        options.routers_file, options.router_list = read_routers(options.routers)
    except argparse.ArgumentTypeError as error:
        parser.error(f"--routers: {error}")
    return options


def read_routers(text):
    """Returns the file or the addresses that --routers names."""
    if text.startswith("file:"):
        return str(pathlib.Path(text[len("file:"):]).absolute()), []
    return None, [socket_address(address) for address in text.split(",")]


def write(options):
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), undefined=jinja2.StrictUndefined,
                                     keep_trailing_newline=True)
    secrets = options.out.absolute() / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    certificates = options.clients == "certificates"
    for kind, name in (("certificate", "server"), ("authority", "clients_ca"), ("certificate", "edge"),
                       ("authority", "routers_ca")):
        if name != "clients_ca" or certificates:
            text = environment.get_template(f"{kind}.yaml.j2").render(name=name, folder=str(options.tls.absolute()))
            (secrets / f"{name}.yaml").write_text(text)
    values = {**vars(options), "certificates": certificates, "admin": json.dumps(options.admin),
              "node": json.dumps(options.node), "metrics": options.metrics_listen, "routers": options.router_list,
              "secret": lambda name: json.dumps(str(secrets / f"{name}.yaml"))}
    values["port"] = json.loads(options.listen)["socket_address"]["port_value"]
    for name in ("envoy.yaml", "connections.nft"):
        (options.out / name).write_text(environment.get_template(f"{name}.j2").render(values))


def main():
    write(read_options())
    return 0


if __name__ == "__main__":
    sys.exit(main())
