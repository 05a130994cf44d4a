"""Tables of `adrs.review`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from adrs.archive.records import LlmTotals
from adrs.printing.console import facts, table
from adrs.printing.text import (
    NOTHING,
    counts,
    duration,
    moment,
    number,
    one_line,
    plain,
    plural,
    reason,
    seconds,
    signed,
)
from adrs.review.diff import Diff
from adrs.review.lineage import Lineage, Step, note_text
from adrs.review.show import Shown, WorkloadResult
from adrs.review.status import Overview, RunLine, Status
from adrs.review.top import Top
from adrs.winner import Winner

DIFF_STYLES = {"+++": "bold", "---": "bold", "@@": "cyan", "+": "green", "-": "red"}  # the first that fits
STATE_STYLES = {"running": "green", "killed": "yellow", "stopped": ""}


Review = Status | Overview | Top | Shown | Lineage | Diff


def print_review(console: Console, result: Review) -> None:
    """Any of the answers of `adrs.review`."""
    match result:
        case Status():
            print_status(console, result)
        case Overview():
            print_runs(console, result)
        case Top():
            print_top(console, result)
        case Shown():
            print_shown(console, result)
        case Lineage():
            print_lineage(console, result)
        case Diff():
            print_diff(console, result)


def print_status(console: Console, status: Status) -> None:
    state = Text(status.state, STATE_STYLES[status.state])
    if status.process is not None:
        state.append(f", process {status.process}")
    if status.stopped is not None:
        state.append(f": {reason(status.stopped)}")
    if status.state == "killed":
        state.append(f"; `adrs resume -r {plain(str(status.run))}` goes on", "dim")
    outcomes = dict(status.outcomes)
    console.print(
        facts(
            run=plain(str(status.run)),
            problem=plain(status.problem),
            state=state,
            begun=moment(status.created),
            last_commit=moment(status.last_commit),
            proposer=one_line(status.proposer),
            search=f"{status.strategy}, seed {status.seed}",
            sandbox=plain(status.sandbox),
            candidates=f"{status.candidates} committed, {status.pending} planned",
            outcomes=counts(outcomes.items()),
            evaluations=f"{status.evaluations.count}, {duration(status.evaluations.seconds)} in policies",
            llm=llm_spent(status.llm),
            seed=number(status.seed_score),
            best=_winner(status.best, status.seed_score),
            bound=None if status.bound is None else number(status.bound),
            verified=_verified(status.verified),
        )
    )


def print_runs(console: Console, overview: Overview) -> None:
    if not overview.runs:
        console.print("no runs under runs/; `adrs evolve PROBLEM` makes one (`adrs problems` lists problems)")
        return
    made = table("run<", *(["problem"] if _names_hide_problems(overview) else []), "state", "candidates>", "seed>",
                 "best>", "id>")  # fmt: skip
    for line in overview.runs:
        problem = [plain(line.problem or NOTHING)] if _names_hide_problems(overview) else []
        made.add_row(plain(str(line.run)), *problem, *_run_cells(line))
    console.print(made)
    for line in overview.runs:
        if line.error is not None:
            console.print(one_line(line.error), style="yellow", soft_wrap=True)


def _names_hide_problems(overview: Overview) -> bool:
    """Whether a directory's name does not begin with its problem's, as by default it does."""
    return any(line.problem is not None and not line.run.name.startswith(line.problem) for line in overview.runs)


def _run_cells(line: RunLine) -> list[str | Text]:
    if line.error is not None or line.state is None:
        return [Text("damaged", "yellow"), *[NOTHING] * 4]
    return [
        Text(line.state, STATE_STYLES[line.state]),
        str(line.candidates),
        number(line.seed_score),
        number(None if line.best is None else line.best.score),
        NOTHING if line.best is None else str(line.best.id),
    ]


def print_top(console: Console, top: Top) -> None:
    if not top.candidates:
        console.print("no scored candidate yet; `adrs status` tells how the run stands")
        return
    made = table("id>", "train>", "gain>", "size>", "parents", "operator<", "")
    for one in top.candidates:
        marks = ["winner"] if one.id == top.winner else []
        made.add_row(
            str(one.id),
            number(one.score),
            signed(one.gain),
            str(one.code_size),
            _ids(one.parents),
            one_line(one.operator),
            Text(" ".join(marks + (["seed"] if one.id == 0 else [])), "dim"),
        )
    console.print(made)
    bound = "" if top.bound is None else f", bound {number(top.bound)}"
    console.print(
        f"\nseed {number(top.seed_score)}{bound}; `adrs verify` gives the result on fresh workloads", style="dim"
    )


def print_shown(console: Console, shown: Shown) -> None:
    gain = None if shown.score is None or shown.parent_score is None else shown.score - shown.parent_score
    console.print(
        facts(
            candidate=str(shown.id),
            status=shown.status if shown.duplicate_of is None else f"{shown.status} of {shown.duplicate_of}",
            score=None if shown.score is None else f"{number(shown.score)} on train",
            gain=None if gain is None else f"{signed(gain)} over its parent",
            parents=_ids(shown.parents),
            operator=one_line(shown.operator),
            notes=one_line(note_text(shown.notes)),
            error=Text(plain(shown.error), "red") if shown.error else None,
            committed=moment(shown.committed_at),
            size=f"{shown.code_size} syntax nodes",
            metrics="   ".join(f"{plain(name)} {number(value)}" for name, value in shown.metrics.items()),
        )
    )
    _print_workloads(console, shown.workloads)
    _print_calls(console, shown)
    if shown.source:
        console.print()
        print_source(console, shown.source)


def print_source(console: Console, source: str) -> None:
    """Highlighted on a terminal; elsewhere as it is, to the byte."""
    if not console.is_terminal:
        console.file.write(source)
        return
    from rich.syntax import Syntax

    console.print(Syntax(plain(source), "python", theme="ansi_dark", background_color="default", line_numbers=True))


def print_lineage(console: Console, lineage: Lineage) -> None:
    made = table("id>", "train>", "gain>", "operator<", "mates", "note<")
    for step in lineage.steps:
        made.add_row(
            str(step.id), _score_or_status(step), signed(step.gain), one_line(step.operator), _ids(step.mates),
            Text(one_line(step.note), "dim"),
        )  # fmt: skip
    console.print(made)
    first, last = lineage.steps[0].score, lineage.steps[-1].score
    if first is not None and last is not None and len(lineage.steps) > 1:
        console.print(f"\n{len(lineage.steps) - 1} steps from the seed, {signed(last - first)} on train", style="dim")


def print_diff(console: Console, diff: Diff) -> None:
    """Coloured on a terminal; elsewhere a file for `patch`."""
    if not diff.diff:
        console.print(f"candidate {diff.id} equals {'the seed' if diff.against == 0 else f'candidate {diff.against}'}")
        return
    if not console.is_terminal:
        console.file.write(diff.diff)
        return
    for line in diff.diff.split("\n")[:-1]:
        style = next((style for start, style in DIFF_STYLES.items() if line.startswith(start)), "")
        console.print(Text(plain(line), style), soft_wrap=True)


def _print_workloads(console: Console, workloads: tuple[WorkloadResult, ...]) -> None:
    if not workloads:
        return
    made = table("workload<", "split", "score>", "seed>", "bound>", "seconds>", "")
    for one in workloads:
        made.add_row(
            plain(one.name), one.split, number(one.score), number(one.seed), number(one.bound),
            seconds(one.seconds), "" if one.status == "ok" else Text(one.status, "red"),
        )  # fmt: skip
    console.print()
    console.print(made)


def _print_calls(console: Console, shown: Shown) -> None:
    if not shown.calls:
        return
    made = table("call>", "model<", "outcome", "seconds>", "tokens>", "usd>", "message<")
    for call in shown.calls:
        seconds = NOTHING if call.seconds is None else f"{call.seconds:.1f}"
        made.add_row(
            str(call.id), plain(call.model), call.outcome, seconds, f"{call.tokens:,}", f"{call.usd:.4f}",
            one_line(call.message),
        )  # fmt: skip
    console.print()
    console.print(made)


def _score_or_status(step: Step) -> str:
    return step.status if step.score is None else number(step.score)


def _ids(ids: tuple[int, ...]) -> str:
    return " ".join(map(str, ids)) or NOTHING


def _winner(best: Winner | None, seed_score: float | None) -> str | None:
    if best is None:
        return None
    gain = "" if seed_score is None else f" ({signed(best.score - seed_score)})"
    validation = "" if best.validation is None else f", {number(best.validation)} on validation, which chose it"
    return f"candidate {best.id}: {number(best.score)}{gain} on train{validation}"


def llm_spent(llm: LlmTotals) -> str | None:
    """Dollars only where there are any: a price that nobody knows is not 0."""
    dollars = f", {llm.usd:.4f} US dollars" if llm.usd else ""
    return f"{plural(llm.calls, 'call')}, {llm.tokens:,} tokens{dollars}" if llm.calls else None


def _verified(verified: dict[str, Any] | None) -> str | None:
    if verified is None:
        return None
    return f"candidate {verified['id']}: {number(verified['score'])} on held-out workloads; {verified['verdict']}"
