"""`pawl local`: a cluster on this machine, without containers and without root."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from pawl.local import platform, state
from pawl.local.state import DataDirectory, LocalError, Running

app = typer.Typer(
    help="A Kubernetes-like cluster on this machine, to try Pawl and for CI; never for production.",
    no_args_is_help=True,
)

DEFAULT_KUBECONFIG = Path(".pawl/kubeconfig")
_START_LIMIT = 60.0  # seconds until a detached cluster has to serve

Kubeconfig = Annotated[Path, typer.Option(help="Where the cluster's kubeconfig is written.")]


def register(parent: typer.Typer) -> None:
    """Adds the commands."""
    parent.add_typer(app, name="local")


@app.command()
def up(
    kubeconfig: Kubeconfig = DEFAULT_KUBECONFIG,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it serves.")] = False,
    operators: Annotated[
        int, typer.Option(min=0, max=9, help="How many operators run: one works, others stand by.")
    ] = 1,
    no_operator: Annotated[
        bool, typer.Option("--no-operator", help="The same as --operators 0.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Logs, volumes, artifact store. [default: KUBECONFIG.data]")
    ] = None,
) -> None:
    """Start a cluster. Without --detach it runs until Ctrl-C."""
    kubeconfig = kubeconfig.absolute()
    platform.require()
    state.check_kubeconfig(kubeconfig)
    data = data_dir.absolute() if data_dir else _known_data(kubeconfig)
    operators = 0 if no_operator else operators
    if DataDirectory(data).is_locked():
        raise LocalError(f"a cluster is already running with the data in {data}")
    if detach:
        _detach(kubeconfig, data, operators)
    else:
        _run(kubeconfig, data, operators)


@app.command()
def down(kubeconfig: Kubeconfig = DEFAULT_KUBECONFIG) -> None:
    """End the cluster and remove its kubeconfig; volumes, artifact store and logs stay."""
    kubeconfig = kubeconfig.absolute()
    directory = state.find(kubeconfig)
    if state.stop(directory, kubeconfig):
        typer.echo(f"Stopped. Its data stay in {directory.path}")
    else:
        typer.echo("No cluster was running; what a killed one left has been removed.")


@app.command()
def status(kubeconfig: Kubeconfig = DEFAULT_KUBECONFIG) -> None:
    """Say whether the cluster runs (exit code 0) or not (3)."""
    kubeconfig = kubeconfig.absolute()
    directory = state.find(kubeconfig)
    running = directory.read()
    if running is None:
        what = "starting or stopping" if directory.is_locked() else "not running"
        typer.echo(f"The cluster of {kubeconfig} is {what}.")
        raise typer.Exit(3)
    typer.echo(f"running     since {running.started}, process {running.pid}")
    typer.echo(f"server      {running.url}")
    typer.echo(f"operators   {running.operators or 'no (--no-operator)'}")
    typer.echo(f"kubeconfig  {running.kubeconfig}")
    typer.echo(f"data        {directory.path}")


@app.command()
def logs(
    which: Annotated[str, typer.Argument(help="operator or cluster")] = "operator",
    kubeconfig: Kubeconfig = DEFAULT_KUBECONFIG,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
) -> None:
    """Print the log of the operator or of the cluster itself."""
    if which not in ("operator", "cluster"):
        raise LocalError(f"there is no log of {which!r}; choose operator or cluster")
    directory = state.find(kubeconfig.absolute())
    path = directory.logs / f"{which}.log"
    if not path.exists():
        raise LocalError(f"there is no log of the {which} in {directory.logs} (yet)")
    try:
        _print_file(path, directory, follow)
    except (KeyboardInterrupt, BrokenPipeError):
        raise typer.Exit(0) from None


def _print_file(path: Path, directory: DataDirectory, follow: bool) -> None:
    with path.open(errors="replace") as file:
        while True:
            while chunk := file.read(65536):
                sys.stdout.write(chunk)
            sys.stdout.flush()
            if not follow or not directory.is_locked():
                return
            time.sleep(0.2)


def _known_data(kubeconfig: Path) -> Path:
    """The directory that an old kubeconfig of ours names, so that its data are found again."""
    return state.data_of(kubeconfig) or state.default_data(kubeconfig)


def _run(kubeconfig: Path, data: Path, operators: int) -> None:
    """Be the cluster, until a signal."""
    from pawl.local import cluster  # noqa: PLC0415 - the other commands start faster without it

    def ready(running: Running) -> None:
        _tell(kubeconfig, running, "Ctrl-C ends it.")

    asyncio.run(cluster.serve(kubeconfig, data, operators=operators, ready=ready))


def _detach(kubeconfig: Path, data: Path, operators: int) -> None:
    """Start the cluster as a process of its own and wait until it serves."""
    directory = DataDirectory(data)
    directory.logs.mkdir(parents=True, exist_ok=True)
    log = directory.logs / "cluster.log"
    command = [sys.executable, "-m", "pawl", "local", "up", "--kubeconfig", str(kubeconfig)]
    command += ["--data-dir", str(data), "--operators", str(operators)]
    log.write_bytes(b"")
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        running = _wait_until_it_serves(directory, process, log)
    except BaseException:
        process.send_signal(signal.SIGTERM)
        process.wait()
        raise
    stop = f"pawl local down --kubeconfig {shlex.quote(os.path.relpath(kubeconfig))}"
    _tell(kubeconfig, running, f"End it with: {stop}")


def _wait_until_it_serves(
    directory: DataDirectory, process: "subprocess.Popen[bytes]", log: Path
) -> Running:
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline:
        running = directory.read()
        if running is not None and running.pid == process.pid:
            return running
        if process.poll() is not None:
            text = log.read_text(errors="replace").strip()
            raise LocalError(text.splitlines()[-1] if text else "the cluster ended at once")
        time.sleep(0.02)
    raise LocalError(f"the cluster does not serve after {_START_LIMIT:.0f} s; see {log}")


def _tell(kubeconfig: Path, running: Running, end: str) -> None:
    typer.echo(f"The cluster is up at {running.url}. {end}")
    typer.echo(f"  export KUBECONFIG={shlex.quote(str(kubeconfig))}")
