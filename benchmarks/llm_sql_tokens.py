"""How far LLM-SQL's tokenizer without a vocabulary is from real ones.

    python3.11 -m pip --python .venv/bin/python install bpe-openai      # 41 MB, carries its vocabularies
    python benchmarks/llm_sql_tokens.py

For each kind of table, generated or packaged (the extra `tables`): tokens of the rows' lines over those of cl100k_base
(GPT-4, on whose pattern and vocabulary Llama 3's are built) and o200k_base (GPT-4o). Then what the simulator assumes of
the real ones: that a prompt's tokens are those of its lines one after the other.
"""

from __future__ import annotations

import sys

from evaluators.llm_sql.generated import generate
from evaluators.llm_sql.packaged import FAMILIAR, SHIFTED, packaged_table
from evaluators.llm_sql.prompts import INSTRUCTION, line
from evaluators.llm_sql.schemas import SCHEMAS
from evaluators.llm_sql.table import Table
from evaluators.llm_sql.tokens import pieces

ROWS = 200


def main() -> int:
    try:
        import bpe_openai
    except ImportError:
        print("needs bpe-openai: python3.11 -m pip --python .venv/bin/python install bpe-openai", file=sys.stderr)
        return 1
    real = {name: bpe_openai.get_encoding(name) for name in ("cl100k_base", "o200k_base")}
    tables = {name: generate(schema, ROWS, None, 1) for name, schema in SCHEMAS.items()}
    tables |= {f"{name} (real)": packaged_table(name) for name in (*FAMILIAR, *SHIFTED)}
    print(
        f"{'table':20}{'tokens a row':>14}" + "".join(f"{'/ ' + name:>14}" for name in real) + f"{'line by line':>14}"
    )
    for name, table in tables.items():
        prompts = [lines(table, row) for row in table.rows[:ROWS]]
        own = sum(len(pieces(one)) + 1 for prompt in prompts for one in prompt)
        ratios, whole = [], []
        for encoding in real.values():
            by_line = [[len(encoding.encode(one + "\n")) for one in prompt] for prompt in prompts]
            ratios.append(own / sum(map(sum, by_line)))
            start = len(encoding.encode(INSTRUCTION))
            whole += [
                len(encoding.encode(INSTRUCTION + "".join(one + "\n" for one in prompt))) == start + sum(counts)
                for prompt, counts in zip(prompts, by_line, strict=True)
            ]
        share = sum(whole) / len(whole)
        print(f"{name:20}{own / len(prompts):14.0f}" + "".join(f"{ratio:14.3f}" for ratio in ratios) + f"{share:14.1%}")
    return 0


def lines(table: Table, row: tuple[str, ...]) -> list[str]:
    return [line(name, value) for name, value in zip(table.columns, row, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
