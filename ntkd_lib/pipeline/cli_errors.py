"""End the command line well: one line for an error, an exit status that says what it was, no traceback."""

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from ntkd_lib.pipeline.errors import one_line

STOPPED = 130
_EXPECTED = (ValueError, RuntimeError, OSError)


class OneLineGroup(click.Group):
    """A command group that tells every error in one line, `ntkd: …`, unless `--debug` is given."""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:
        """Run a command and end the process."""
        words = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in words
        extra = {"prog_name": "ntkd", **extra, "standalone_mode": False}
        try:
            code = super().main([word for word in words if word != "--debug"], **extra)
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
