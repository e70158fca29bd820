#!/usr/bin/env python3
"""Runs pmapgcd on a Spark cluster by `RDD.pipe`: computes the ranges of a file, and joins the results to the bytes that one
machine gives.

    pip install pyspark                                         needs Java 17 too
    examples/spark_pipe.py small.csv gcds.txt                   starts a master and two workers on this machine
    examples/spark_pipe.py small.csv gcds.txt --master spark://10.0.0.1:7077 --workers 40 --ranges 4000

`pmapgcd --split` cuts the file into ranges of whole rows. The ranges are the elements of an RDD, one in each partition. They
are piped through a shell that runs `pmapgcd --range` on each and writes a part beside the output. Note that:

- Rows and results never enter the JVM or Python: only one line for each range goes through the pipe.
- `checkCode=True` makes the job fail when a command fails; without it, the failure would be a success with fewer results.
- `env` is the whole environment of the command; without it, there would be no PATH.
- Elements stay in the order of their partitions. A partition without an element starts a process too, which reads nothing.
- Spark tries a range four times before the job fails, whatever the status is. pmapgcd's message would be in the log of some
  executor. So the script keeps messages beside the parts, and shows the first one in the order of the file.
- When an executor is lost, Spark runs its tasks again elsewhere.
- Options of pmapgcd stand behind `--`. Files of code that they name (`--kernel ./lib.so`) are copied beside the parts for the workers.
"""

import os
import shlex
import signal
import sys
from argparse import Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import clusters
import pyspark
from clusters import Clock, Failed, Processes, Range
from py4j.protocol import Py4JJavaError
from pyspark.java_gateway import launch_gateway

HOME = Path(pyspark.__file__).parent
SPARK_CLASS = str(HOME / "bin" / "spark-class")
DEPLOY = "org.apache.spark.deploy"
LOOPBACK = ["--host", "127.0.0.1", "--webui-port", "0"]

# Reads lines `offset,length,first_line,part` from the RDD, and prints the name of each part when it is complete. With
# `--bad-rows skip` a range with bad rows has status 1 and a part, and the job goes on.
COMPUTE = r"""
cd "$CODE" || exit
while IFS=, read -r offset length line part; do
  "$PMAPGCD" "$@" --range "$offset,$length" --first-line "$line" -o "$part" "$FILE" < /dev/null 2> "$part.message"
  status=$?
  echo "$status" > "$part.status"
  [ -e "$part" ] || exit "$status"
  echo "$part"
done
"""


def start(processes: Processes, workers: int) -> str:
    """Starts a standalone cluster, without Spark's start scripts, which pip's pyspark lacks; returns the address."""
    around = {"SPARK_HOME": str(HOME), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": processes.scratch.name,
              "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false"}
    master = processes.start("master", [SPARK_CLASS, DEPLOY + ".master.Master", *LOOPBACK, "--port", "0"], **around)
    address = master.says(r"Starting Spark master at (\S+)")
    for number in range(workers):
        files = os.path.join(processes.scratch.name, f"worker-{number}.files")
        size = ["--cores", "1", "--memory", "1g", "--work-dir", files]
        worker = [SPARK_CLASS, DEPLOY + ".worker.Worker", *LOOPBACK, *size, address]
        processes.start(f"worker-{number}", worker, **around)
    return address


@contextmanager
def driver(given: Namespace, address: str, scratch: str) -> Iterator[pyspark.SparkContext]:
    """A driver that is connected to all workers. Its JVM ends with the `with` block."""
    os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_HOME=str(HOME), SPARK_LOCAL_DIRS=scratch)
    settings = {
        "spark.master": address,
        "spark.app.name": "pmapgcd",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
        "spark.executor.memory": "512m",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.cores.max": str(given.workers),
    }
    if not given.address:
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    configuration = pyspark.SparkConf(loadDefaults=False).setAll(settings.items())
    gateway = launch_gateway(configuration)
    try:
        spark = pyspark.SparkContext(conf=configuration, gateway=gateway)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # pyspark's own handler waits for the JVM
        spark.parallelize([None]).count()
        try:
            yield spark
        except Failed:
            spark.stop()
            raise
        spark.stop()
    finally:  # when interrupted, do only this: `stop` would wait for the end of the job
        gateway.proc.terminate()
        gateway.proc.wait()


def compute(spark: pyspark.SparkContext, given: Namespace, ranges: list[Range], copies: Path) -> None:
    """Computes every range into its part, by one job."""
    command = shlex.join(["sh", "-c", COMPUTE, "pmapgcd", *given.options])
    environment = {"PATH": os.environ["PATH"], "PMAPGCD": given.pmapgcd, "FILE": str(given.file), "CODE": str(copies)}
    elements = [",".join(map(str, one)) for one in ranges]
    parts = spark.parallelize(elements, len(elements)).pipe(command, env=environment, checkCode=True)
    try:
        done = parts.collect()
    except Py4JJavaError as error:
        cause = str(error.java_exception.getMessage()).splitlines()[0]
        status, message = failure(ranges) or (3, f"the cluster gave up: {cause}")
        raise clusters.failed(status, message, given, copies) from None
    if done != [str(one.part) for one in ranges]:
        raise Failed(3, f"{len(done)} of {len(ranges)} ranges came back")


def failure(ranges: list[Range]) -> tuple[int, str] | None:
    """The status and the message of the first range that has failed: it has a status and no part."""
    for one in ranges:
        status, message = sidecars(one)
        if status.exists() and not one.part.exists():
            return int(status.read_text()), message.read_text()
    return None


def sidecars(one: Range) -> tuple[Path, Path]:
    """The two files beside a part: pmapgcd's status, and its messages."""
    return Path(f"{one.part}.status"), Path(f"{one.part}.message")


def said(ranges: list[Range]) -> int:
    """Prints pmapgcd's messages about ranges that have a part; returns the exit status."""
    for one in ranges:
        sys.stderr.write(sidecars(one)[1].read_text())
    return max((int(sidecars(one)[0].read_text()) for one in ranges), default=0)


def run(given: Namespace) -> int:
    """Splits, computes and joins; returns the exit status."""
    clock = Clock()
    with clusters.beside(given.output) as folder:
        ranges = clusters.split(given, folder)
        copies = clusters.code(given, folder)
        clock.step("split")
        with Processes() as processes:
            address = given.address or start(processes, given.workers)
            with driver(given, address, processes.scratch.name) as spark:
                clock.step("start")
                compute(spark, given, ranges, copies)
                clock.step("compute")
        clock.step("stop")
        status = said(ranges)
        joined = clusters.join(ranges, folder, given.output)
        clock.step("join")
    clusters.report(joined, ranges, given, clock)
    return status


def main() -> int:
    """Reads the command line and runs."""
    return clusters.finish(run, clusters.parse(clusters.parser("Run pmapgcd on a Spark cluster.", "master")))


if __name__ == "__main__":
    sys.exit(main())
