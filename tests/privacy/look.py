"""Looks at everything that leaves the processes of a cluster, with a sweep.Sweep."""

import os


def at_processes(sweep, cluster, routers):
    """While they run: the metrics of all processes, and what routers tell to operators."""
    for name in cluster.processes:
        sweep.look_at_metrics("metrics", cluster.addresses(name)[1])
    for router in routers:
        for method in ("GetModel", "GetStatus", "GetRouting"):
            answer = router.call(method, getattr(router.messages, f"{method}Request")(), f"{method}Response")
            sweep.look(method, answer.SerializeToString() + str(answer).encode())


def at_files(sweep, cluster, before):
    """Once they have ended: all files. `before` are the names that were in /tmp before."""
    folder = cluster.folder
    for name in cluster.commands:
        sweep.look_at_file("logs", folder / f"{name}.log")
        sweep.look_at_file("address files", folder / f"{name}.address")
    for file in folder.glob("*.audit*"):
        sweep.look_at_file("audit log", file)
    dumps = [str(file) for file in (folder / "work").glob("*core*")]
    # They would be too large to search, and have everything.
    sweep.leaks += [("core dumps", "all") for _ in dumps]
    for name in ("work", "tmp", "home"):
        sweep.look_at_folder(f"files in {name}", folder / name, but=dumps)
    for name in set(os.listdir("/tmp")) - before:
        path = os.path.join("/tmp", name)
        if os.path.isfile(path):  # Folders are those of tests that run at the same time.
            sweep.look_at_file("/tmp", path)
