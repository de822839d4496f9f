"""The command line: verbs are loaded when they are used, so that help costs nothing."""

import gc
import importlib
import os
import signal
import sys
import tomllib
import traceback
from pathlib import Path
from typing import Any

import click

from pvkit import __version__
from pvkit.backends.errors import KitError, UsageError

VERBS = {
    "run": "draw plans, run them on a backend, judge, shrink, report",
    "replay": "run saved plans or failures again, showing what kubectl would show",
    "check": "judge recorded traces again, with no cluster",
    "explain": "tell for each claim which volumes were considered, what refused them and which won",
    "list": "list invariants, rules, mutants, backends, profiles or faults",
    "selftest": "prove the kit: every mutant of the model is caught by the invariants it breaks",
    "fidelity": "hold the reference model against a real control plane, plan by plan and answer by answer",
    "cluster": "start a real control plane on this machine, without Docker: build, up, down, status",
    "preflight": "look at a cluster before a run: version, what would be made, permissions that are missing",
    "cleanup": "remove what a run left on a cluster, and nothing else",
    "version": "the version of the kit and of the rules",
}
USAGE, INTERRUPTED = 2, 130


class Verbs(click.Group):
    """Finds each verb in `conformance/commands/`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which people meet them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"pvkit.conformance.commands.{cmd_name}")
        command: click.Command = module.command
        command.context_settings = {**command.context_settings, "auto_envvar_prefix": "PVKIT"}
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that was typed, or say which one was meant."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            raise click.UsageError(f"No such command {args[0]!r}; {_nearest(args[0], list(VERBS))}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def configuration(start: Path) -> dict[str, Any]:
    """Options from the nearest `pvkit.toml`, or `[tool.pvkit]` in `pyproject.toml`, walking up; {} without one."""
    for folder in (start, *start.parents):
        own, project = folder / "pvkit.toml", folder / "pyproject.toml"
        if own.is_file():
            return _table(own, _loaded(own))
        if project.is_file() and "pvkit" in _loaded(project).get("tool", {}):
            return _table(project, _loaded(project)["tool"]["pvkit"])
    return {}


def _loaded(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f'{path}: {error}; write TOML such as `profile = "smoke"`') from None


def _table(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Check the keys against the options of `pvkit run`, for which the file speaks."""
    from pvkit.conformance.commands.run import command

    known = {word.lstrip("-"): option for option in command.params for word in option.opts if word.startswith("--")}
    table = {}
    for key, value in given.items():
        name = key.replace("_", "-")
        if name not in known:
            raise UsageError(f"{path}: unknown key {key!r}; {_nearest(name, sorted(known))}")
        option = known[name]
        alone = getattr(option, "multiple", False) and isinstance(value, str)
        table[option.name or name] = [value] if alone else value
    return {"run": table}


def _nearest(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "PVKIT"})
@click.version_option(__version__, "-V", "--version", prog_name="pvkit")
@click.pass_context
def pvkit(ctx: click.Context) -> None:
    """Property-based conformance tests for Kubernetes PersistentVolume binding."""
    if ctx.invoked_subcommand == "run":
        ctx.default_map = configuration(Path.cwd())


def collect_seldom() -> None:
    """Let the garbage collector come by less often: plans make many small trees, and hardly any cycles.

    A quarter of the time of a run goes otherwise into looking at trees that are still in use.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


def main() -> None:
    """The program `pvkit`: 0 all hold, 1 violated, 2 usage or backend error, 3 undecided, 130 interrupted."""
    collect_seldom()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # Who ends a run so wants it to leave nothing, too.
    try:
        code = pvkit.main(prog_name="pvkit", standalone_mode=False)
    except click.exceptions.Abort:
        code = INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = USAGE
    except KitError as error:
        click.echo(f"pvkit: {error}", err=True)
        code = USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception:  # noqa: BLE001 - an exit code of 1 would say that a promise is broken
        click.echo(f"{traceback.format_exc()}\npvkit: this is an error of pvkit itself; please report it", err=True)
        code = USAGE
    sys.exit(code if isinstance(code, int) else 0)
