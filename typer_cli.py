"""The `adrs` command: argument parsing and printing; every verb calls one function of adrs/."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adrs import arguments as arg
from adrs.errors import AdrsError, InputError
from adrs.printing.streams import discard_output, repair_streams

if TYPE_CHECKING:
    from rich.console import Console

    from adrs.printing.views import Review
    from adrs.session import Options, Result

INTERRUPTED = 130

app = typer.Typer(
    name="adrs", help="Discover better scheduling algorithms with an evolutionary loop, scored by simulators.",
    add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False,
)  # fmt: skip
EVOLVE, LOOK, JUDGE, SET_UP = "Evolve", "Look at a run", "Judge", "Set up"
data = typer.Typer(rich_markup_mode="rich", help="Public traces: what there is, and copies at this machine.")
app.add_typer(data, name="data", rich_help_panel=SET_UP)


@app.callback(invoke_without_command=True)
def _no_verb(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"adrs-toolkit {installed('adrs-toolkit')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(rich_help_panel=EVOLVE)
def evolve(
    problem: arg.ProblemRef,
    proposer: Annotated[
        str, typer.Option(metavar="KIND", help="auto (openai if a model is named), offline, openai, or replay:FILE.")
    ] = "auto",
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The LLM; by default ADRS_MODEL.")] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="OpenAI-compatible endpoint; by default OPENAI_BASE_URL.")
    ] = None,
    candidates: arg.Candidates = None,
    minutes: arg.Minutes = None,
    usd: arg.Usd = None,
    tokens: arg.Tokens = None,
    target: arg.Target = None,
    stagnation: arg.Stagnation = None,
    jobs: arg.Jobs = None,
    seed: arg.Seed = 0,
    lag: arg.Lag = None,
    run: arg.NewRun = None,
    warm_from: arg.WarmFrom = None,
    overrides: arg.Overrides = None,
    sandbox: arg.Sandbox = "auto",
    quiet: arg.Quiet = False,
    json: arg.Json = False,
) -> None:
    """Begin a run: evolve a problem's seed policy until a budget is reached."""
    from adrs import runs
    from adrs.problem_file import load_problem

    budget = arg.budget(candidates, minutes, usd, tokens, target, stagnation)
    _session(
        quiet, json, jobs, sandbox,
        lambda options: runs.evolve(
            load_problem(problem, overrides or ()), proposer=proposer, model=model, base_url=base_url, budget=budget,
            seed=seed, lag=lag, run=run, warm_from=warm_from, options=options,
        ),
    )  # fmt: skip


@app.command(rich_help_panel=EVOLVE)
def resume(
    run: arg.RunRef = None,
    candidates: arg.Candidates = None,
    minutes: arg.Minutes = None,
    usd: arg.Usd = None,
    tokens: arg.Tokens = None,
    target: arg.Target = None,
    stagnation: arg.Stagnation = None,
    jobs: arg.Jobs = None,
    sandbox: arg.Sandbox = "auto",
    quiet: arg.Quiet = False,
    json: arg.Json = False,
) -> None:
    """Go on with a run where it stopped or was killed; nothing that was paid for is asked again."""
    from adrs import runs
    from adrs.archive.locate import find_run

    directory = find_run(run)
    budget = arg.budget(candidates, minutes, usd, tokens, target, stagnation)
    _session(quiet, json, jobs, sandbox, lambda options: runs.resume(directory, budget=budget, options=options))


@app.command(rich_help_panel=EVOLVE)
def stop(run: arg.RunRef = None, json: arg.Json = False) -> None:
    """Ask the process at work on a run to finish what is in flight."""
    from adrs import runs
    from adrs.archive.locate import find_run
    from adrs.printing.results import print_stopped

    directory = find_run(run)
    stopped = runs.stop(directory)
    document = {"schema": 1, "run": str(directory), "stopped": stopped}
    _emit(json, document, lambda console: print_stopped(console, directory, stopped))


@app.command(name="runs", rich_help_panel=LOOK)
def runs_(json: arg.Json = False) -> None:
    """All runs under runs/."""
    from adrs.review.status import overview

    _review(overview(), json)


@app.command(rich_help_panel=LOOK)
def status(run: arg.RunRef = None, json: arg.Json = False) -> None:
    """How a run stands: state, best, outcomes, what it cost."""
    from adrs.archive.locate import open_run
    from adrs.review.status import status

    with open_run(run) as opened:
        _review(status(*opened), json)


@app.command(rich_help_panel=LOOK)
def top(
    run: arg.RunRef = None,
    count: arg.Count = 10,
    json: arg.Json = False,
) -> None:
    """The best candidates by train score."""
    from adrs.archive.locate import open_run
    from adrs.review.top import top

    with open_run(run) as opened:
        _review(top(*opened, count), json)


@app.command(rich_help_panel=LOOK)
def show(
    id: arg.Id = None,
    run: arg.RunRef = None,
    source: Annotated[bool, typer.Option("--source", help="Print the policy's text alone.")] = False,
    json: arg.Json = False,
) -> None:
    """Everything about one candidate: scores by workload, metrics, messages, source."""
    from adrs.archive.locate import open_run
    from adrs.review.show import show

    with open_run(run) as opened:
        shown = show(*opened, id)
    if source and not json:
        from adrs.printing.console import output
        from adrs.printing.views import print_source

        print_source(output(), shown.source)
    else:
        _review(shown, json)


@app.command(rich_help_panel=LOOK)
def log(id: arg.Id = None, run: arg.RunRef = None, json: arg.Json = False) -> None:
    """A candidate's lineage from the seed, with the score gained at each step."""
    from adrs.archive.locate import open_run
    from adrs.review.lineage import lineage

    with open_run(run) as opened:
        _review(lineage(*opened, id), json)


@app.command(rich_help_panel=LOOK)
def diff(
    id: arg.Id = None,
    run: arg.RunRef = None,
    against: arg.Against = "seed",
    json: arg.Json = False,
) -> None:
    """What a candidate changed, as a unified diff that `patch` applies."""
    from adrs.archive.locate import open_run
    from adrs.review.diff import diff

    with open_run(run) as opened:
        _review(diff(*opened, id, against), json)


@app.command(rich_help_panel=JUDGE)
def verify(
    id: arg.Id = None,
    run: arg.RunRef = None,
    salt: arg.Salt = None,
    jobs: arg.Jobs = None,
    sandbox: arg.Sandbox = "auto",
    quiet: arg.Quiet = False,
    json: arg.Json = False,
) -> None:
    """The result: a candidate on fresh held-out workloads, paired with the seed and every baseline.

    Exit code 1 when the candidate fails on one of them.
    """
    from adrs import assess
    from adrs.printing.results import print_verified
    from adrs.printing.watch import counting

    with counting("verifying", quiet or json) as progress:
        verified = assess.verify(run, id, salt=salt, options=_options(jobs, sandbox), progress=progress)
    _emit(json, verified.json(), lambda console: print_verified(console, verified))
    if verified.result.status != "ok":
        raise typer.Exit(1)


@app.command(rich_help_panel=JUDGE)
def check(
    problem: arg.ProblemRef,
    overrides: arg.Overrides = None,
    jobs: arg.Jobs = None,
    sandbox: arg.Sandbox = "auto",
    quiet: arg.Quiet = False,
    json: arg.Json = False,
) -> None:
    """Does the set-up hold? Seed and baselines scored, noise, determinism, sandbox level, bound.

    Exit code 1 when there is a reason not to begin a run.
    """
    from adrs import assess
    from adrs.printing.results import print_check
    from adrs.printing.watch import counting
    from adrs.problem_file import load_problem

    with counting("checking", quiet or json) as progress:
        result = assess.check(load_problem(problem, overrides or ()), _options(jobs, sandbox), progress)
    _emit(json, result.json(), lambda console: print_check(console, result, problem))
    if result.findings:
        raise typer.Exit(1)


@app.command(rich_help_panel=JUDGE)
def evaluate(
    problem: arg.ProblemRef,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy.")],
    split: Annotated[
        str, typer.Option(metavar="train|validation", help="Test workloads belong to `verify`.")
    ] = "train",
    overrides: arg.Overrides = None,
    jobs: arg.Jobs = None,
    sandbox: arg.Sandbox = "auto",
    quiet: arg.Quiet = False,
    json: arg.Json = False,
) -> None:
    """Score one policy file. Exit code 0 also where the policy fails: that is the answer."""
    from adrs import assess
    from adrs.evaluation.score import evaluation_json
    from adrs.printing.results import print_evaluation
    from adrs.printing.watch import counting
    from adrs.problem_file import load_problem

    with counting("evaluating", quiet or json) as progress:
        loaded = load_problem(problem, overrides or ())
        result = assess.evaluate(loaded, file, split, _options(jobs, sandbox), progress)
    _emit(json, evaluation_json(result), lambda console: print_evaluation(console, result, split))


@app.command(rich_help_panel=SET_UP)
def problems(json: arg.Json = False) -> None:
    """The problems that come with the toolkit."""
    from adrs.catalogue import list_problems
    from adrs.printing.results import print_problems

    entries = list_problems()
    lines = [{"name": one.name, "title": one.title, "domain": one.domain, "timed": one.timed} for one in entries]
    _emit(json, {"schema": 1, "problems": lines}, lambda console: print_problems(console, entries))


@app.command(rich_help_panel=SET_UP)
def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and `_`.")],
    directory: arg.Directory = Path(),
    json: arg.Json = False,
) -> None:
    """Write a working problem with its evaluator, to be changed into your own."""
    from adrs.printing.results import print_written
    from adrs.scaffold import init_problem

    files = init_problem(name, directory)
    document = {"schema": 1, "problem": str(files[0]), "files": [str(file) for file in files]}
    _emit(json, document, lambda console: print_written(console, files))


@app.command(rich_help_panel=SET_UP)
def doctor(json: arg.Json = False) -> None:
    """What this machine gives: each layer of the jail tried out. Exit code 1 when something is missing."""
    from adrs.doctor import diagnose
    from adrs.printing.results import print_diagnosis

    checks = diagnose()
    document = {"schema": 1, "checks": [dict(vars(one)) for one in checks]}
    _emit(json, document, lambda console: print_diagnosis(console, checks))
    if any(one.status == "fail" for one in checks):
        raise typer.Exit(1)


@data.callback(invoke_without_command=True)
def _list_data(context: typer.Context, json: arg.Json = False) -> None:
    if context.invoked_subcommand is not None:
        if json:
            raise InputError(
                f"data --json {context.invoked_subcommand}: put --json behind {context.invoked_subcommand}"
            )
        return
    from adrs.printing.data import print_data_sets
    from adrs.public_data import inventory

    entries = inventory()
    _emit(json, entries.json(), lambda console: print_data_sets(console, entries))


@data.command()
def get(name: arg.DataName, quiet: arg.Quiet = False, json: arg.Json = False) -> None:
    """Download a data set into the cache, and check its digest. ADRS_DATA names a folder of your own copies instead."""
    from adrs.printing.data import downloading, print_copy
    from adrs.public_data import find, get

    entry = find(name)
    with downloading(entry, quiet or json):
        copy = get(entry)
    _emit(json, copy.json(), lambda console: print_copy(console, copy))


@data.command()
def path(name: arg.DataName, json: arg.Json = False) -> None:
    """Print where the copy of a data set lies. Exit code 2 where there is none."""
    from adrs.printing.data import print_path
    from adrs.public_data import find, present

    copy = present(find(name))
    _emit(json, copy.json(), lambda console: print_path(console, copy))


def _session(quiet: bool, json: bool, jobs: int | None, sandbox: str, work: Callable[[Options], Result]) -> None:
    """Run a session under the eyes of a watcher, and print how it ended."""
    from adrs.printing.results import print_result
    from adrs.printing.watch import watching

    with watching(silent=quiet or (json and not sys.stderr.isatty())) as watcher:
        result = work(replace(_options(jobs, sandbox), announce=watcher.announce, observer=watcher.observe))
    _emit(json, result.json(), lambda console: print_result(console, result))
    if result.stopped == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _review(result: Review, json: bool) -> None:
    def draw(console: Console) -> None:
        from adrs.printing.views import print_review

        print_review(console, result)

    _emit(json, result.json(), draw)


def _emit(json: bool, document: Mapping[str, Any], draw: Callable[[Console], None]) -> None:
    """Print a result as its document or for people; rich is loaded for people alone."""
    if json:
        from json import dumps

        print(dumps(document, indent=2, allow_nan=False))
    else:
        from adrs.printing.console import output

        draw(output())


def _options(jobs: int | None, sandbox: str) -> Options:
    from adrs.session import Options

    options = Options() if jobs is None else Options(jobs=jobs)
    match sandbox:
        case "auto" | "none":
            return replace(options, sandbox=sandbox)
        case _:
            raise InputError(f"--sandbox {sandbox}: expected auto or none")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code: 0 fine, 1 the work failed, 2 the input is wrong, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    repair_streams()
    try:
        code = app(arguments, prog_name="adrs", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # by typer for Ctrl-C, or at the end of a session that was stopped
            return _fail(code, "interrupted")
        return code if isinstance(code, int) else 0
    except (BrokenPipeError, SystemExit):  # typer itself exits on a broken pipe
        discard_output()
        return 0
    except KeyboardInterrupt:
        return _fail(INTERRUPTED, "interrupted")
    except AdrsError as error:
        return _fail(error.exit_code, str(error))
    except typer.TyperException as error:
        return _fail(error.exit_code, f"{error.format_message().rstrip('.')}; see `{_help_for(arguments)}`")
    except Exception as error:
        from adrs.printing.failure import explain

        if isinstance(error, OSError):  # what a full disk did not take is not tried again at exit
            discard_output()
        return _fail(*explain(error))


def _fail(code: int, message: str) -> int:
    from adrs.printing.text import one_line

    print(f"adrs: {one_line(message)}", file=sys.stderr)
    return code


def _help_for(arguments: Sequence[str]) -> str:
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    verbs.update(group.name for group in app.registered_groups if group.name)
    verb = next((argument for argument in arguments if argument in verbs), None)
    return "adrs --help" if verb is None else f"adrs {verb} --help"


if __name__ == "__main__":
    sys.exit(main())
