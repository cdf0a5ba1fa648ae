"""The command line, `ntkd`. It starts without torch; each command imports what it needs."""

import os
import sys
from collections.abc import Callable, Sequence
from math import inf, isnan
from pathlib import Path
from typing import Any, NoReturn

from ntkd_lib.imports import extra
from ntkd_lib.pipeline.errors import one_line

with extra("companion"):
    import click

TIERS = ("smoke", "cpu", "paper")
STOPPED = 130
_EXPECTED = (ValueError, RuntimeError, OSError)
Command = Callable[..., Any]


class OneLineGroup(click.Group):
    """A command group that tells every error in one line, `ntkd: …`, unless `--debug` is given."""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:
        """Run a command and end the process."""
        words = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in words
        extra = {"prog_name": "ntkd", **extra, "standalone_mode": False}
        try:
            code = super().main([word for word in words if word != "--debug"] or ["--help"], **extra)
        except BaseException as error:
            if debug and not isinstance(error, click.exceptions.Exit | SystemExit):
                raise
            raise SystemExit(_told(error)) from None
        raise SystemExit(code if isinstance(code, int) else 0)


def _told(error: BaseException) -> int:
    """Say what happened, and choose the exit status."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case SystemExit():
            return error.code if isinstance(error.code, int) else 1
        case click.ClickException():
            click.echo(f"ntkd: {one_line(error.format_message())}", err=True)
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            click.echo(f"ntkd: {_stopped(error)}", err=True)
            return STOPPED
        case BrokenPipeError():
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the flush at exit
            return 1
        case _ if isinstance(error, _EXPECTED):
            click.echo(f"ntkd: {one_line(error)}", err=True)
            return 1
    what = one_line(f"{type(error).__name__}: {error}")
    click.echo(f"ntkd: unexpected {what} (add --debug for the traceback)", err=True)
    return 1


def _stopped(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__ or error
    return one_line(cause) if isinstance(cause, KeyboardInterrupt) and str(cause) else "stopped"


tier_option = click.option(
    "--tier", type=click.Choice(TIERS), default="cpu", show_default=True, help="How much is computed."
)
workers_option = click.option("--workers", type=click.IntRange(1), help="Processes (default: one per core).")


def work_options(command: Command) -> Command:
    """Add the options that say where cells of work run."""
    scheduler = click.option("--scheduler", envvar="NTKD_SCHEDULER", help="Dask scheduler, tcp://host:port.")
    return workers_option(scheduler(command))


def parameter_options(command: Command) -> Command:
    """Add the options that give a notebook's parameters."""
    words, path = "Set a parameter (repeat).", click.Path(path_type=Path)
    single = click.option("-p", "pairs", multiple=True, metavar="NAME=VALUE", help=words)
    file = click.option("-f", "file", type=path, metavar="FILE", help="YAML file of parameters; -p wins.")
    return single(file(command))


class SeedList(click.ParamType):
    """Seeds separated by commas."""

    name = "SEEDS"

    def convert(self, value: Any, *place: Any) -> tuple[int, ...]:
        """Turn `3,4` into `(3, 4)`."""
        if isinstance(value, tuple):
            return value
        if not all(part.isdecimal() for part in value.split(",")):
            self.fail(f"{value!r} is no list of seeds; allowed: whole numbers such as 3,4", *place)
        return tuple(int(part) for part in value.split(","))


@click.group(cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ntkd", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks; may stand anywhere.")
def cli(debug: bool) -> None:
    """Redo five papers on tangent kernels, distillation and optical networks, and judge their claims."""
    del debug  # the group looks for it among all words, so that it may stand anywhere


@cli.command()
@click.argument("notebook")
@tier_option
@parameter_options
@work_options
@click.option("--force", is_flag=True, help="Execute again even where nothing changed.")
@click.option("--page/--no-page", default=True, help="Build a page of its own for changed parameters.")
def run(
    notebook: str, tier: str, pairs: tuple[str, ...], file: Path | None, page: bool, **options: Any
) -> None:
    """Run one NOTEBOOK (such as 01), if it is not up to date, and say where its page is."""
    from ntkd_lib.pipeline.notebooks import find_notebook, target_of
    from ntkd_lib.pipeline.run import run_target

    require_scheduler(options["scheduler"])
    target = target_of(find_notebook(notebook), tier, gathered(pairs, file))
    path = run_target(target, **options, say=click.echo)
    click.echo(f"executed notebook: {path}")
    if target.standard:
        click.echo(f"its page: {target.layout.html / target.name}.html (built by: ntkd book --tier {tier})")
    elif page:
        from ntkd_lib.pipeline.book import build_page

        click.echo(f"its page: {build_page(target.layout, target.name, tier)}")


def require_scheduler(address: str | None) -> None:
    """Refuse a scheduler that does not answer, before any work."""
    if address is not None:
        from ntkd_lib.lab.cluster import probe

        probe(address)


def gathered(assignments: tuple[str, ...], file: Path | None) -> dict[str, Any]:
    """Collect parameters from a file and from the command line, which wins."""
    from ntkd_lib.lab.parameters import parse_assignment, read_params_file

    pairs = [parse_assignment(text) for text in assignments]
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise click.UsageError(f"-p {twice} is given twice; give each parameter once")
    return {**(read_params_file(file) if file else {}), **dict(pairs)}


@cli.command()
@click.argument("notebook")
def params(notebook: str) -> None:
    """Show the parameters of a NOTEBOOK: type, range, unit, default of each tier, help."""
    from ntkd_lib.lab.parameters import describe
    from ntkd_lib.pipeline.notebooks import find_notebook, parameters_model

    source = find_notebook(notebook)
    click.echo("\n".join(describe(parameters_model(source), source.name)))


@cli.command()
@tier_option
@work_options
def reproduce(tier: str, workers: int | None, scheduler: str | None) -> None:
    """Run every notebook that is not up to date, build the book, and say where it is."""
    from ntkd_lib.pipeline.ledger import outcome_lines
    from ntkd_lib.pipeline.reproduce import reproduce as bring_up_to_date

    require_scheduler(scheduler)
    page = bring_up_to_date(tier, workers=workers, scheduler=scheduler, say=click.echo)
    click.echo("\n".join([*outcome_lines(tier), f"the book is at {page}"]))


@cli.command()
@tier_option
@click.option("--pdf", is_flag=True, help="Print it into a single file too; needs Chromium.")
def book(tier: str, pdf: bool) -> None:
    """Build the book; chapters that have not run here show what is recorded of tier cpu."""
    from ntkd_lib.pipeline.pdf import print_book, require_browser
    from ntkd_lib.pipeline.reproduce import read

    browser = require_browser() if pdf else None
    click.echo(f"the book is at {read(tier, click.echo)}")
    if browser:
        click.echo(f"as a PDF: {print_book(tier, browser)}")


@cli.command()
@click.argument("notebook")
def keep(notebook: str) -> None:
    """Record the page and the numbers of a NOTEBOOK that has run on tier cpu in results/."""
    from ntkd_lib.pipeline.recorded import keep_page

    click.echo(f"recorded in {keep_page(notebook)}; verdicts: python -m ntkd_lib.pipeline.readme")


@cli.command()
@tier_option
@click.option(
    "--contract",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Another claims file, whose rules must be the same.",
)
@click.option("--pages", is_flag=True, help="Execute each notebook again from its records (minutes).")
@click.pass_context
def verify(context: click.Context, tier: str, contract: Path | None, pages: bool) -> None:
    """Check seals, hashes, claims, recorded results and the built book."""
    from ntkd_lib.pipeline.ledger import outcome_lines
    from ntkd_lib.pipeline.verify import verify as check

    problems = check(tier, contract, pages=pages)
    for problem in problems:
        click.echo(f"ntkd: {problem}", err=True)
    if problems:
        context.exit(1)
    first, *rest = outcome_lines(tier)
    click.echo("\n".join([f"all in order; {first}", *rest]))


@cli.command()
@click.argument("notebook", required=False)
@click.argument("protocol", required=False)
@click.option("--list", "listed", is_flag=True, help="Show protocols, claims served, share done, hours left.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), default=inf, help="Start nothing longer.")
@click.option("--seeds", type=SeedList(), default=(), help="Seeds to run, such as 3,4 (default: all).")
@click.option("--redo", type=SeedList(), default=(), help="Seeds to run again whole.")
@workers_option
def record(notebook: str | None, protocol: str | None, listed: bool, **options: Any) -> None:
    """Run a PROTOCOL of a NOTEBOOK in pieces; each finished number is added to results/ at once."""
    from ntkd_lib.pipeline.recording import list_protocols, run_protocol

    if listed or notebook is None:
        if protocol or any(value not in ((), None, inf) for value in options.values()):
            words = "a list takes neither a PROTOCOL nor options; to record, name a NOTEBOOK without --list"
            raise click.UsageError(words)
        click.echo("\n".join(list_protocols(notebook)))
        return
    if isnan(options["minutes"]):
        raise click.BadParameter("nan is no number of minutes; allowed: above 0", param_hint="'--minutes'")
    for line in run_protocol(notebook, protocol, **options):
        click.echo(line)


@cli.command()
@click.argument("notebook")
@click.argument("name", required=False)
@workers_option
def search(notebook: str, name: str | None, workers: int | None) -> None:
    """Run the search NAME of a NOTEBOOK's chapter again and record it."""
    from ntkd_lib.pipeline.recording import run_search

    click.echo(run_search(notebook, name, workers=workers))


@cli.command()
@click.argument("name")
def new(name: str) -> None:
    """Add a chapter NAME (such as 08_my_paper) to this checkout, made from the template."""
    from ntkd_lib.lab.contract import EXTEND
    from ntkd_lib.pipeline.new import new_chapter

    for path in new_chapter(name):
        click.echo(path)
    click.echo(f"once its claims are yours, before it runs: {EXTEND}", err=True)
    click.echo(f"run it with: ntkd run {name[:2]} --tier smoke")


@cli.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Say what is wrong with this installation, and what to do about it."""
    from ntkd_lib.pipeline.doctor import examine

    bad = 0
    for finding in examine():
        click.echo(str(finding))
        bad += finding.status == "bad"
    if bad:
        click.echo(f"ntkd: {bad} to put right", err=True)
        context.exit(1)


@cli.command()
@click.option("--download", is_flag=True, help="Fetch missing official files, checked by their hashes.")
def data(download: bool) -> None:
    """Say where each data set was found, and what to do where it was not."""
    from ntkd_lib.data.report import render, rows

    click.echo(render(rows(download=download)))


@cli.command()
@tier_option
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free.")
def serve(tier: str, port: int) -> None:
    """Show the book at an address of this machine."""
    from ntkd_lib.lab.layout import tier_layout
    from ntkd_lib.pipeline.serve import serve as answer

    answer(tier_layout(tier).html, port, say=click.echo)


def main() -> None:
    """Run the command line and end the process."""
    os.environ["PYTHONSAFEPATH"] = "1"  # no process started from here runs a file of the current folder
    nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere  # closed by who started it
    try:
        here, _ = str(Path.cwd()), Path.home()
    except FileNotFoundError:
        sys.exit("ntkd: the current folder does not exist any more; change to another")
    except RuntimeError:
        sys.exit("ntkd: no home folder is known; set HOME")
    if sys.path and sys.path[0] in ("", here):  # python -m and -c look there first
        del sys.path[0]
    cli.main()
