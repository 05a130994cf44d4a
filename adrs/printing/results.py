"""Results of the verbs that work: a run, a check, an evaluation, a verification; and the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from adrs.archive.locate import RUNS
from adrs.assess import Verified
from adrs.catalogue import CatalogueEntry
from adrs.doctor import Check as Diagnosed
from adrs.evaluation.check import Check
from adrs.evaluation.score import PolicyScore
from adrs.evaluation.verify import Verification
from adrs.printing.console import facts, table
from adrs.printing.text import (
    NOTHING,
    counts,
    duration,
    number,
    one_line,
    p_value,
    plain,
    plural,
    reason,
    seconds,
    signed,
)  # fmt: skip
from adrs.printing.views import llm_spent
from adrs.session import Result

DIAGNOSIS_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
VERDICT_STYLES = {"better": "bold green", "worse": "red", "failed": "red", "comparator failed": "yellow"}


def print_result(console: Console, result: Result) -> None:
    """How a session ended, and what to do next."""
    best = result.best
    console.print(
        f"{plain(result.problem)}: {plural(result.candidates, 'candidate')} after {duration(result.seconds)},"
        f" {reason(result.stopped)}\n",
        soft_wrap=True,
    )
    made = table("", "id>", "train>", "gain>", "validation>")
    made.add_row("seed", "0", number(result.seed_score), "", number(best.seed_validation))
    style = "bold green" if best.score > result.seed_score else ""
    gain = signed(best.score - result.seed_score)
    made.add_row("winner", str(best.id), Text(number(best.score), style), gain, number(best.validation))
    console.print(made)
    console.print()
    outcomes = counts(result.outcomes.items())
    console.print(facts(outcomes=outcomes, llm=llm_spent(result.llm), run=plain(str(result.run))))
    run = "" if result.run.parent == RUNS else f" -r {plain(str(result.run))}"
    console.print("\nThe search has seen these workloads; only `verify` draws fresh ones.", style="dim")
    console.print(f"  adrs diff{run}     what the best changed in the seed", soft_wrap=True)
    console.print(f"  adrs verify{run}   how it stands against the baselines and the bound", soft_wrap=True)


def print_check(console: Console, check: Check, reference: str) -> None:
    """`reference` is how the problem was named."""
    console.print(
        facts(
            problem=plain(check.problem),
            sandbox=plain(check.sandbox),
            deterministic=_deterministic(check),
            bound=number(check.bound),
        )
    )
    made = table("policy<", "kind", "status", "train>", "noise>", "seconds>", "error<")
    for one in check.policies:
        status = Text(one.status, "" if one.status == "ok" else "red")
        noise = NOTHING if one.score is None else f"{one.noise:.2g}"
        made.add_row(
            plain(one.name), one.kind, status, number(one.score), noise, seconds(one.seconds), one_line(one.error)
        )
    console.print()
    console.print(made)
    console.print()
    for finding in check.findings:
        console.print(Text(f"finding: {one_line(finding)}", "yellow"))
    if not check.findings:
        console.print(f"the set-up holds; `adrs evolve {plain(reference)}` begins a run", style="dim", soft_wrap=True)


def _deterministic(check: Check) -> str | Text:
    if check.deterministic:
        return "yes"
    if check.timed:
        return "no: scores rest on measured times"
    return Text("no: two evaluations of one policy differ", "yellow")


def print_evaluation(console: Console, result: PolicyScore, split: str) -> None:
    style = "" if result.status == "ok" else "red"
    console.print(
        facts(
            status=Text(result.status, style),
            score=f"{number(result.score)} on {split}" if result.score is not None else None,
            bound=None if result.bound is None else number(result.bound),
            seconds=f"{seconds(result.seconds)} in the policy's calls" if result.workloads else None,
            error=Text(plain(result.message), "red") if result.message else None,
            metrics="   ".join(f"{plain(name)} {number(value)}" for name, value in result.metrics.items()),
        )
    )
    if not result.workloads:
        return
    made = table("workload<", "status", "score>", "bound>", "seconds>")
    for one in result.workloads:
        made.add_row(
            plain(one.workload.name), one.evaluation.status, number(one.score), number(one.bound),
            seconds(one.evaluation.seconds),
        )  # fmt: skip
    console.print()
    console.print(made)


def print_verified(console: Console, verified: Verified) -> None:
    result = verified.result
    console.print(
        facts(
            run=plain(str(verified.run)),
            candidate=str(verified.id),
            workloads=f"salt {result.salt}, {result.clusters} clusters",
            score=number(result.score),
            bound=None if result.bound is None else number(result.bound),
            seconds=f"{seconds(result.seconds)} in its calls",
            opened=None if result.opened is None else f"{plural(result.opened, 'time')} on this machine, with this one",
            method=one_line(result.method),
        )
    )
    _print_comparisons(console, result)
    _print_regimes(console, result)
    console.print()
    for failure in result.failures:
        place = f" on {failure.workload}" if failure.workload else ""
        console.print(Text(one_line(f"{failure.policy}: {failure.status}{place}: {failure.error}"), "red"))
    _print_verdict(console, result)
    notes = [
        *result.notes,
        *([] if verified.recorded else ["not recorded in the run: another process is at work on it"]),
    ]
    for note in notes:
        console.print(one_line(note), style="dim")


def _print_comparisons(console: Console, result: Verification) -> None:
    if not result.comparisons:
        return
    made = table("against<", "score>", "difference>", "95 % interval>", "p (Holm)>", "sig.", "seconds>")
    for one in result.comparisons:
        style = ("green" if one.difference > 0 else "red") if one.significant else ""
        made.add_row(
            plain(one.baseline), number(one.score), Text(signed(one.difference), style),
            f"{signed(one.ci95[0])} to {signed(one.ci95[1])}", p_value(one.p_adjusted),
            Text("yes" if one.significant else "no", style), seconds(one.seconds),
        )  # fmt: skip
    console.print()
    console.print(made)


def _print_regimes(console: Console, result: Verification) -> None:
    made = table("regime<", "", "workloads>", "score>", f"{plain(result.comparator)}>", "bound>")
    for one in sorted(result.regimes, key=lambda one: not one.familiar):
        made.add_row(
            plain(one.name), "familiar" if one.familiar else "shifted", str(one.workloads), number(one.score),
            number(one.comparator), number(one.bound),
        )  # fmt: skip
    console.print()
    console.print(made)


def _print_verdict(console: Console, result: Verification) -> None:
    effect = f" (minimum effect {result.minimum_effect:g})" if result.minimum_effect else ""
    line = Text.assemble(
        f"against {plain(result.comparator)}{effect}: ", (result.verdict, VERDICT_STYLES.get(result.verdict, "bold"))
    )
    if result.beats_every_baseline:
        line.append("; it beats the seed and every baseline")
    console.print(line)


def print_problems(console: Console, problems: Sequence[CatalogueEntry]) -> None:
    made = table("name", "domain", "timed", "title<")
    for one in problems:
        made.add_row(plain(one.name), plain(one.domain), "yes" if one.timed else "", plain(one.title))
    console.print(made if problems else "the catalogue is empty")


def print_written(console: Console, files: Sequence[Path]) -> None:
    """What `init` wrote, and what to do with it."""
    for file in files:
        console.print(f"wrote {plain(str(file))}", soft_wrap=True)
    console.print(f"\nNext: adrs check {plain(str(files[0]))}", style="dim", soft_wrap=True)


def print_stopped(console: Console, run: Path, stopped: bool) -> None:
    console.print(f"{plain(str(run))}: {'stopped' if stopped else 'no process is at work on it'}", soft_wrap=True)


def print_diagnosis(console: Console, checks: Sequence[Diagnosed]) -> None:
    made = table("", "", "<")
    for one in checks:
        made.add_row(Text(one.status, DIAGNOSIS_STYLES[one.status]), one.name, one_line(one.detail))
    console.print(made)
