# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: a mongod, documents, and rounds in which contenders take turns."""

import atexit
import datetime
import gc
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fiftyone
import pymongo
from bson import ObjectId


@dataclass
class Timing:
    """Seconds of one contender, best and median of its rounds."""

    wall: float
    cpu: float
    median: float


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ram_disk() -> str | None:
    """Where the files of both stores go: the disk is not compared. None: there is no such place."""
    place = "/dev/shm"
    roomy = os.access(place, os.W_OK) and shutil.disk_usage(place).free > 2 << 30
    return place if roomy else None


_servers: list[int] = []


def server_cpu() -> float:
    """Seconds of CPU that the mongod of start_mongod has taken, in all its threads."""
    stat = pathlib.Path(f"/proc/{_servers[-1]}/stat").read_text(encoding="ascii")
    fields = stat.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_mongod() -> str:
    """A single-member replica set on a fresh folder; its URI. Ends with the process."""
    binary = pathlib.Path(list(fiftyone.__path__)[0]) / "db" / "bin" / "mongod"
    folder = tempfile.mkdtemp(prefix="bench-mongod-", dir=ram_disk())
    port = free_port()
    server = subprocess.Popen(
        [str(binary), "--dbpath", folder, "--port", str(port), "--replSet", "bench"]
        + ["--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "1"],
        stdout=subprocess.DEVNULL,
    )

    _servers.append(server.pid)

    def stop() -> None:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    direct = pymongo.MongoClient(f"mongodb://127.0.0.1:{port}/?directConnection=true")
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    direct.admin.command({"replSetInitiate": {"_id": "bench", "members": [member]}})
    while not direct.admin.command("hello").get("isWritablePrimary"):
        time.sleep(0.1)
    direct.close()
    return f"mongodb://127.0.0.1:{port}/?replicaSet=bench"


def compare(contenders: dict[str, Callable[[], Any]], rounds: int = 5) -> dict[str, Timing]:
    """Run the contenders in turn, `rounds` times after one warm-up; best wall and CPU of each."""
    walls: dict[str, list[float]] = {name: [] for name in contenders}
    cpus: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            gc.collect()
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if number:
                walls[name].append(wall)
                cpus[name].append(cpu)
    return {
        name: Timing(min(walls[name]), min(cpus[name]), statistics.median(walls[name]))
        for name in contenders
    }


def make_document(number: int) -> dict[str, Any]:
    """12 mixed fields, one embedded document, a list of five embedded documents."""
    return {
        "_id": ObjectId(),
        "name": f"Person {number}",
        "email": f"person{number}@example.com",
        "age": number % 90,
        "score": number * 1.25,
        "active": number % 2 == 0,
        "joined": datetime.datetime(2024, 1, 1) + datetime.timedelta(minutes=number),
        "visits": number * 1000,
        "tags": ["alpha", "beta", f"tag{number % 50}"],
        "bio": "Lorem ipsum dolor sit amet, consectetur adipiscing elit. " * 3,
        "country": ["FR", "DE", "US", "IN", "BR"][number % 5],
        "level": number % 7,
        "address": {"street": f"{number} Main Street", "city": "Springfield", "zip": "12345"},
        "orders": [
            {"sku": f"SKU-{number}-{item}", "quantity": item + 1, "price": 9.99 * (item + 1)}
            for item in range(5)
        ],
    }
