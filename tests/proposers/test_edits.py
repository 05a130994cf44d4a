"""Replies applied to parents."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adrs.proposers.edits import EditError, applied, apply_reply, fenced, parse_blocks, without_thinking

PARENT = '''\
"""Greedy."""
import math


def _weight(job):
    return job.size * 2


def pick(jobs, now):
    best = None
    for job in jobs:
        if best is None or _weight(job) < _weight(best):
            best = job
    return best


def order(jobs):
    best = None
    return sorted(jobs, key=_weight)
'''

EVOLVABLE = """\
import math

def fixed(x):
    return math.sqrt(x)

# EVOLVE-BLOCK-START
def pick(jobs, now):
    return jobs[0]
# EVOLVE-BLOCK-END

def order(jobs):
    return jobs
"""

TWO_REGIONS = """\
# EVOLVE-BLOCK-START a
A = 1
# EVOLVE-BLOCK-END
def pick():
    # EVOLVE-BLOCK-START b
    return A
    # EVOLVE-BLOCK-END
"""


def block(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


def fence(text: str, info: str = "python") -> str:
    return f"```{info}\n{text}\n```\n"


def reason(parent: str, reply: str) -> str:
    with pytest.raises(EditError) as caught:
        apply_reply(parent, reply)
    return str(caught.value)


class TestBlocks:
    def test_one_block(self) -> None:
        child = apply_reply(PARENT, block("    return job.size * 2", "    return job.size * 3"))
        assert child == PARENT.replace("* 2", "* 3")

    def test_several_blocks_apply_one_after_another(self) -> None:
        reply = "First.\n" + block("import math", "import math\nK = 2") + "Then.\n" + block("K = 2", "K = 5")
        assert "import math\nK = 5\n" in apply_reply(PARENT, reply)

    def test_kind_is_told(self) -> None:
        assert applied(PARENT, block("import math", "import heapq")).kind == "edit"
        assert applied(PARENT, fence(PARENT + "\nX = 1")).kind == "rewrite"

    def test_crlf_reply(self) -> None:
        reply = block("import math\n\n\ndef _weight(job):", "import math\n\n\ndef _weight(job, k=1):")
        assert "def _weight(job, k=1):\n" in apply_reply(PARENT, reply.replace("\n", "\r\n"))

    def test_crlf_parent_keeps_its_line_ends(self) -> None:
        parent = PARENT.replace("\n", "\r\n")
        child = apply_reply(parent, block("    return job.size * 2", "    return job.size * 3"))
        assert child == parent.replace("* 2", "* 3")

    def test_trailing_blanks_do_not_matter(self) -> None:
        assert "size * 3" in apply_reply(PARENT, block("    return job.size * 2   ", "    return job.size * 3"))

    def test_uniform_indentation_is_moved(self) -> None:
        search = "if best is None or _weight(job) < _weight(best):\n    best = job"
        replace = "if best is None:\n    best = job\nelse:\n    pass"
        child = apply_reply(PARENT, block(search, replace))
        assert "        if best is None:\n            best = job\n        else:\n            pass\n    return" in child

    def test_too_deep_an_indentation_is_moved_back(self) -> None:
        child = apply_reply(PARENT, block("        return job.size * 2", "        return job.size * 4"))
        assert child == PARENT.replace("* 2", "* 4")

    def test_exact_match_wins_over_an_indented_one(self) -> None:
        parent = "def f(x):\n    if x:\n        x = 1\n    x = 1\n    return x\n"
        assert apply_reply(parent, block("    x = 1", "    x = 2")) == parent.replace(
            "    x = 1\n    r", "    x = 2\n    r"
        )

    def test_ambiguous_search_is_refused_with_its_places(self) -> None:
        assert "matches 2 places (lines 10, 18)" in reason(PARENT, block("    best = None", "    best = 0"))

    def test_absent_search_names_the_closest_line(self) -> None:
        text = reason(PARENT, block("    return job.size * 7", "    return 1"))
        assert "block 1 is not in the current policy" in text and "`return job.size * 2`" in text

    def test_a_later_block_that_fails_fails_all(self) -> None:
        assert "block 2" in reason(PARENT, block("import math", "import heapq") + block("nothing like it", "x"))

    @pytest.mark.parametrize(
        ("reply", "expected"),
        [
            ("<<<<<<< SEARCH\nimport math\n=======\nimport heapq\n", "not closed"),
            ("<<<<<<< SEARCH\nimport math\n>>>>>>> REPLACE\n", "0 `=======` lines"),
            ("<<<<<<< SEARCH\nimport math\n=======\nx\n=======\ny\n>>>>>>> REPLACE\n", "2 `=======` lines"),
            (block("", "x = 1"), "empty SEARCH"),
            (block("import math", "import ("), "not valid Python: line 2"),
            (block("import math", "import math"), "changes nothing"),
            (block("import math", "import math   "), "changes nothing"),
            (block("import math", "import math") * 101, "at most 100"),
            ("<<<<<<< SEARCH\na\n<<<<<<< SEARCH\nb\n=======\nc\n>>>>>>> REPLACE\n", "block 1 is not closed"),
        ],
    )
    def test_refused(self, reply: str, expected: str) -> None:
        assert expected in reason(PARENT, reply)

    def test_blocks_in_a_fence_and_fences_in_blocks(self) -> None:
        inner = block(fence("import math").strip(), fence("import heapq").strip())
        assert "import heapq\n" in apply_reply(PARENT, fence(inner, "diff"))

    def test_marker_variants(self) -> None:
        reply = "  <<<<<<< SEARCH  \nimport math\n=======\nimport heapq\n  >>>>>>>REPLACE\n"
        assert parse_blocks(reply)[0].replace == ("import heapq",)

    def test_deleting_lines(self) -> None:
        assert apply_reply(PARENT, "<<<<<<< SEARCH\nimport math\n=======\n>>>>>>> REPLACE") == PARENT.replace(
            "import math\n", ""
        )

    def test_unicode(self) -> None:
        child = apply_reply(PARENT, block('"""Greedy."""', '"""Größte zuerst: 最短 → 🚀."""'))
        assert "最短 → 🚀" in child


class TestWholeFile:
    def test_one_fence(self) -> None:
        new = PARENT.replace("* 2", "* 9")
        assert apply_reply(PARENT, "Here you are:\n\n" + fence(new) + "\nGood luck!") == new

    @pytest.mark.parametrize("info", ["", "python", "Python", "py", "python3", 'python title="policy.py"'])
    def test_info_strings(self, info: str) -> None:
        assert "* 9" in apply_reply(PARENT, fence(PARENT.replace("* 2", "* 9"), info))

    def test_of_several_fences_the_most_complete_counts(self) -> None:
        new = PARENT.replace("* 2", "* 9")
        usage = fence("pick([], 0)")
        assert apply_reply(PARENT, fence("def pick(jobs, now):\n    ...") + fence(new) + usage) == new

    def test_of_equals_the_last_counts(self) -> None:
        first, last = PARENT.replace("* 2", "* 8"), PARENT.replace("* 2", "* 9")
        assert apply_reply(PARENT, fence(first) + "Better:\n" + fence(last)) == last

    def test_other_languages_are_passed_over(self) -> None:
        new = PARENT.replace("* 2", "* 9")
        assert apply_reply(PARENT, fence(new) + fence("rm -rf /", "bash") + fence("{}", "json")) == new

    def test_no_fence_at_all(self) -> None:
        new = PARENT.replace("* 2", "* 9")
        assert apply_reply(PARENT, new) == new

    def test_four_backticks_hold_three(self) -> None:
        new = PARENT.replace("Greedy.", "Greedy:\n```\ndiagram\n```\n")
        assert apply_reply(PARENT, f"````python\n{new}\n````") == new

    @pytest.mark.parametrize(
        ("reply", "expected"),
        [
            ("", "neither a SEARCH/REPLACE block nor"),
            ("I would rather not.", "neither a SEARCH/REPLACE block nor"),
            ("```python\ndef pick(jobs, now):\n", "not closed"),
            (fence("def pick(:"), "not valid Python: line 1"),
            (fence("return 3"), "not valid Python"),
            (fence("print('hi')"), "defines nothing"),
            (fence(PARENT), "changes nothing"),
            (fence("def pick(jobs, now):\n    return min(jobs, key=_weight)"), "fragment: it uses `_weight`"),
            (fence("x = 1\x00"), "null bytes"),
            (fence("def pick(jobs, now):\n    return " + "(" * 5000 + ")" * 5000), "not valid Python"),
            (fence("def pick(jobs, now):\n    return 1\n" + "#" * 200_000), "at most"),
        ],
    )
    def test_refused(self, reply: str, expected: str) -> None:
        assert expected in reason(PARENT, reply)

    def test_a_file_may_drop_helpers_that_it_does_not_use(self) -> None:
        new = "def pick(jobs, now):\n    return jobs[0]\n\n\ndef order(jobs):\n    return jobs\n"
        assert apply_reply(PARENT, fence(new)) == new

    def test_no_warning_escapes(self, recwarn: pytest.WarningsRecorder) -> None:
        apply_reply(PARENT, fence(PARENT + '\nX = "\\d"\nY = 1 is 1\n'))
        assert not recwarn.list


class TestThinking:
    @pytest.mark.parametrize(
        ("reply", "expected"),
        [
            ("<think>a ```python\nx\n``` b</think>answer", "answer"),
            ("\n<thinking>a</thinking>answer", "answer"),
            ("a</think>answer", "answer"),
            ("<think>never closed", ""),
            ("no thoughts", "no thoughts"),
        ],
    )
    def test_it_is_cut(self, reply: str, expected: str) -> None:
        assert without_thinking(reply) == expected

    def test_drafts_in_it_are_not_applied(self) -> None:
        reply = "<think>" + block("import math", "import heapq") + "</think>" + block("import math", "import bisect")
        assert "import bisect" in apply_reply(PARENT, reply)


class TestRegions:
    def test_edit_inside(self) -> None:
        child = apply_reply(EVOLVABLE, block("    return jobs[0]", "    return jobs[-1]"))
        assert child == EVOLVABLE.replace("jobs[0]", "jobs[-1]")

    @pytest.mark.parametrize(
        ("search", "replace"),
        [
            ("    return math.sqrt(x)", "    return x"),
            ("    return jobs", "    return jobs[::-1]"),
            ("# EVOLVE-BLOCK-END", ""),
            ("# EVOLVE-BLOCK-START", "import os\n# EVOLVE-BLOCK-START"),
            ("    return jobs[0]", "    return jobs[0]\n# EVOLVE-BLOCK-END\nX = 1\n# EVOLVE-BLOCK-START"),
        ],
    )
    def test_edit_outside_is_refused(self, search: str, replace: str) -> None:
        assert "outside of the EVOLVE-BLOCK" in reason(EVOLVABLE, block(search, replace))

    def test_markers_may_be_quoted(self) -> None:
        search = "# EVOLVE-BLOCK-START\ndef pick(jobs, now):"
        child = apply_reply(EVOLVABLE, block(search, "# EVOLVE-BLOCK-START\nK = 3\ndef pick(jobs, now):"))
        assert child == EVOLVABLE.replace("START\n", "START\nK = 3\n")

    def test_a_match_inside_wins_over_one_outside(self) -> None:
        parent = "X = 1\n# EVOLVE-BLOCK-START\nX = 1\n# EVOLVE-BLOCK-END\n"
        assert apply_reply(parent, block("X = 1", "X = 2")) == parent.replace("START\nX = 1", "START\nX = 2")

    def test_whole_file_with_markers(self) -> None:
        new = EVOLVABLE.replace("jobs[0]", "max(jobs)")
        assert apply_reply(EVOLVABLE, fence("\n" + new + "\n\n")) == new

    def test_whole_file_that_changes_outside_is_refused(self) -> None:
        new = EVOLVABLE.replace("jobs[0]", "max(jobs)").replace("math.sqrt(x)", "x")
        text = reason(EVOLVABLE, fence(new))
        assert "outside of the EVOLVE-BLOCK" in text and "return math.sqrt(x)" in text

    def test_inside_alone(self) -> None:
        child = apply_reply(EVOLVABLE, fence("K = 2\n\ndef pick(jobs, now):\n    return jobs[K]"))
        assert child == EVOLVABLE.replace(
            "def pick(jobs, now):\n    return jobs[0]", "K = 2\n\ndef pick(jobs, now):\n    return jobs[K]"
        )

    def test_whole_file_without_its_markers(self) -> None:
        new = EVOLVABLE.replace("jobs[0]", "max(jobs)")
        bare = "\n".join(line for line in new.split("\n") if "EVOLVE" not in line)
        child = apply_reply(EVOLVABLE, fence(bare))
        assert child == new

    def test_inside_may_not_redefine_what_is_outside(self) -> None:
        reply = fence("def pick(jobs, now):\n    return 1\n\ndef order(jobs):\n    return []")
        assert "`order` is defined outside" in reason(EVOLVABLE, reply)

    def test_two_regions(self) -> None:
        new = TWO_REGIONS.replace("A = 1", "A = 2").replace("return A", "return -A")
        assert apply_reply(TWO_REGIONS, fence(new)) == new
        assert "2 regions" in reason(TWO_REGIONS, fence("A = 2"))

    def test_region_inside_a_function_keeps_its_indentation(self) -> None:
        parent = "def pick():\n    x = 1\n    # EVOLVE-BLOCK-START\n    return x\n    # EVOLVE-BLOCK-END\n"
        assert apply_reply(parent, fence("y = x + 1\nreturn y")) == parent.replace(
            "    return x", "    y = x + 1\n    return y"
        )

    def test_markers_that_do_not_pair_up(self) -> None:
        assert "do not pair up" in reason("# EVOLVE-BLOCK-START\nx = 1\n", block("x = 1", "x = 2"))
        assert "do not pair up" in reason(EVOLVABLE, fence("# EVOLVE-BLOCK-START\ndef pick(jobs, now):\n    return 2"))

    @settings(deadline=None)
    @given(st.integers(0, 11), st.text("abc =()\n", max_size=20))
    def test_no_edit_of_any_line_changes_what_is_outside(self, row: int, text: str) -> None:
        line = EVOLVABLE.split("\n")[row]
        try:
            child = apply_reply(EVOLVABLE, block(line, text))
        except EditError:
            return
        outside = EVOLVABLE.split("def pick(jobs, now):\n    return jobs[0]\n")
        assert child.startswith(outside[0]) and child.endswith(outside[1])


@settings(deadline=None)
@given(st.text())
def test_any_text_gives_a_program_or_a_reason(reply: str) -> None:
    try:
        source = apply_reply(PARENT, reply)
    except EditError:
        return
    compile(source, "child", "exec")


@settings(deadline=None)
@given(st.lists(st.sampled_from(["```", "```python", "~~~", "x = 1", "````", "text", ""]), max_size=12))
def test_fences_never_hold_their_own_marks(lines: list[str]) -> None:
    found, _ = fenced("\n".join(lines))
    assert all(any(line.strip() for line in text.split("\n")) for text in found)


@pytest.mark.parametrize(
    ("parent", "reply"),
    [
        (PARENT, "```" + " " * 250_000 + "`"),
        (PARENT, "```" + "a" * 250_000 + "`"),
        (PARENT, "~~~" * 80_000 + "`"),
        ("#\n" * 30_000 + PARENT, block("#\n" * 15_000 + "# x", "y = 1")),
        (" #\n" * 15_000 + PARENT, block("#\n" * 7_000 + "  #", "y = 1")),
    ],
)
def test_a_hostile_reply_is_refused_at_once(parent: str, reply: str) -> None:
    began = time.process_time()
    with pytest.raises(EditError):
        apply_reply(parent, reply)
    assert time.process_time() - began < 5
