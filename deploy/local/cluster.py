#!/usr/bin/env python3
"""Runs a cluster of real processes on this machine, all on 127.0.0.1.

Users call it as deploy/local/cluster.sh: up, status, restart, rolling-restart,
add, remove, supervise, down. `attached` is for tests: see launch/attached.py.
"""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from launch import attached, commands, scaling, signals, status  # noqa: E402
from launch.failure import Failure, Mistake  # noqa: E402

UP = """starts one router, dense workers and expert workers, waits until all are healthy, and prints the router's
address. If the cluster is running already, fails if a given option differs from that of the running cluster"""
STATUS = "shows each process, its restarts and its last exit; exit code 1 unless all are healthy"
RESTART = """stops processes, which finish their requests, or takes those that have died, and starts them again with the
same ports, experts and options, one after the other, while the others run; waits until all processes are healthy"""
ROLLING = """restarts all processes, one after the other, so that the workers serve all the time: if no other worker can do
the work of one, a substitute is started first; while the router is restarted, clients must try again"""
ADD = "starts a further dense worker or expert worker, which the other processes find by themselves"
REMOVE = "stops a worker, whose work the others take over, and forgets it"
SUPERVISE = """restarts each process that ends, after a pause that grows from 1 s to 60 s, until it is interrupted or the
cluster is stopped; `up --supervise` does so in the background"""
DOWN = "stops the processes; the logs stay"
ATTACHED = "runs a cluster for a test, which controls it with lines of JSON; ends with the test (launch/attached.py)"


def number(least, most):
    def parse(text):
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f'is "{text}"; it must be a number from {least} to {most}')
        return int(text)
    return parse


def numbers(text):
    parsed = [part for part in text.split(",") if part.isascii() and part.isdigit()]
    if not parsed or len(parsed) != len(text.split(",")):
        raise argparse.ArgumentTypeError(f'is "{text}"; it must be numbers such as 0,4')
    return sorted(set(map(int, parsed)))


def directory(text):
    if not text:
        raise argparse.ArgumentTypeError('is ""; it must be a directory')
    return os.path.abspath(text)


def default_state():
    home = os.environ.get("HOME") or f"/tmp/apollo-{os.geteuid()}"
    return os.path.join(os.environ.get("XDG_STATE_HOME") or os.path.join(home, ".local/state"), "apollo-moe/cluster")


def command_first(arguments):
    """Moves options before the command behind it. All of them but --supervise and --tls have values."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("--") and arguments[at] != "--help":
        at += 1 if "=" in arguments[at] or arguments[at] in ("--supervise", "--tls") else 2
    return arguments[at:at + 1] + arguments[:at] + arguments[at + 1:] if at < len(arguments) else []


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="cluster.sh", description="Runs a cluster of real processes on this machine, all on 127.0.0.1.",
        epilog="cluster.sh COMMAND --help shows the options of a command.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", metavar="DIR", default=default_state(), type=directory,
                        help="directory for logs, process ids and addresses; default ~/.local/state/apollo-moe/cluster")
    common.add_argument("--bin", metavar="DIR", type=directory,
                        help="directory of the built programs; default .bazel/bin of this checkout")
    common.add_argument("--grace", metavar="S", type=number(1, 86400), help="seconds until a process that does "
                        "not stop is killed; default 45, because requests get up to 30 s (--drain_timeout)")
    start = argparse.ArgumentParser(add_help=False)
    start.add_argument("--model", metavar="DIR", help="checkpoint to serve")
    start.add_argument("--dense-workers", metavar="N", type=number(1, 64), help="number of dense workers; default 1")
    start.add_argument("--timeout", metavar="S", type=number(1, 86400), help="seconds for the start; default 300")
    several = parser.add_subparsers(dest="command", required=True, metavar="up|status|restart|rolling-restart|add|remove|supervise|down")
    up = several.add_parser("up", allow_abbrev=False, help=UP, description="up " + UP, parents=[start, common])
    up.add_argument("--expert-workers", metavar="N", type=number(1, 1024), help="number of expert workers, at most "
                    "the number of experts; default 2; expert E is on worker E modulo N; any number for a model without "
                    "experts, default 1")
    up.add_argument("--port", metavar="P", type=number(0, 65535),
                    help="port of the router; default 50051; 0: any free port")
    up.add_argument("--weights", metavar="FORMAT",
                    help="format of the weights: auto (default), float32, bf16, int8 or int4")
    up.add_argument("--device", metavar="DEVICE",
                    help="device of the workers: cpu (default) or cuda:N; GPUs need a build with --config=cuda")
    up.add_argument("--threads", metavar="N", type=number(1, 1024),
                    help="threads of each worker; default: chosen by the worker")
    up.add_argument("--cache-megabytes", metavar="N", type=number(1, 1 << 30), help="maximum size of each worker's cache "
                    "in MiB; default: 1024 in a dense worker, 512 in an expert worker")
    for role, of in (("worker", "all workers"), ("dense", "dense workers"), ("expert", "expert workers"),
                     ("router", "the router")):
        up.add_argument(f"--{role}-flag", metavar="FLAG", action="append", help=f"flag of {of}, such as "
                        f"--{role}-flag=--max_connections=100; may be given several times")
    up.add_argument("--tls", action="store_true", default=None, help="encrypts all gRPC with certificates of a new test "
                    "authority, in the directory of the state")
    up.add_argument("--supervise", action="store_true",
                    help="also starts a supervisor in the background, which restarts each process that ends")
    several.add_parser("status", allow_abbrev=False, help=STATUS, description="status " + STATUS, parents=[common])
    restart = several.add_parser("restart", allow_abbrev=False, help=RESTART, description="restart " + RESTART,
                                 parents=[common])
    restart.add_argument("names", metavar="NAME", nargs="+", help="process, such as expert-worker-0")
    restart.add_argument("--timeout", metavar="S", type=number(1, 86400), help="seconds for the start; default 300")
    rolling = several.add_parser("rolling-restart", allow_abbrev=False, help=ROLLING,
                                 description="rolling-restart " + ROLLING, parents=[common])
    add = several.add_parser("add", allow_abbrev=False, help=ADD, description="add " + ADD, parents=[common])
    add.add_argument("role", choices=["dense-worker", "expert-worker"])
    add.add_argument("--experts", metavar="N,N", type=numbers, help="experts of an expert worker; default: all")
    for command in (rolling, add):
        command.add_argument("--timeout", metavar="S", type=number(1, 86400),
                             help="seconds for each start; default 300")
    remove = several.add_parser("remove", allow_abbrev=False, help=REMOVE, description="remove " + REMOVE,
                                parents=[common])
    remove.add_argument("name", metavar="NAME", help="worker, such as expert-worker-2")
    several.add_parser("supervise", allow_abbrev=False, help=SUPERVISE, description="supervise " + SUPERVISE,
                       parents=[common])
    several.add_parser("down", allow_abbrev=False, help=DOWN, description="down " + DOWN, parents=[common])
    # Not among the commands, which are for users.
    test = argparse.ArgumentParser(prog="cluster.py attached", allow_abbrev=False, description=ATTACHED,
                                   parents=[start, common])
    test.add_argument("--expert-workers", metavar="N", type=number(0, 1024), default=1,
                      help="at most the number of experts; 0: all roles in one process")
    test.add_argument("--routers", metavar="N", type=number(1, 64), default=1)
    for role in ("worker", "dense", "expert", "router", "local"):
        test.add_argument(f"--{role}-flag", metavar="FLAG", action="append", default=[])
    test.add_argument("--tls", action="store_true")
    test.add_argument("--own-host-ids", action="store_true", help="each process gets its own NCCL_HOSTID")
    test.set_defaults(command="attached")
    if arguments[:1] == ["attached"]:
        return test.parse_args(arguments[1:])
    return parser.parse_args(command_first(arguments))


def main():
    signals.interrupt()
    options = parse(sys.argv[1:])
    options.bin_given = options.bin is not None
    if not options.bin_given:
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
        options.bin = os.path.join(root, ".bazel/bin")
    run = {"up": commands.up, "status": status.run, "restart": commands.restart,
           "rolling-restart": scaling.rolling_restart, "add": scaling.add, "remove": scaling.remove,
           "supervise": commands.supervise, "down": commands.down, "attached": attached.run}
    try:
        return run[options.command](options)
    except Mistake as mistake:
        print(f"cluster.sh: {mistake} (see --help)", file=sys.stderr)
        return 2
    except Failure as failure:
        print(f"cluster.sh: {failure}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cluster.sh: {f'{error.filename}: {error.strerror}' if error.filename else error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster.sh: interrupted", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
