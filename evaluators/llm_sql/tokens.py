"""A tokenizer without a vocabulary: the pieces into which GPT-4's and Llama 3's tokenizers cut text before they merge.

Their pattern cuts at spaces, between letters and punctuation, and after each third digit; byte-pair merges then make
most English words of some length one token and longer or rarer ones several. Here a word is cut after each
`WORD_LETTERS` letters instead, which comes close in number (`python benchmarks/llm_sql_tokens.py`), needs no
download and gives the same tokens on every machine.
"""

from __future__ import annotations

import re

WORD_LETTERS = 8

_PIECE = re.compile(
    rf"(?:[^\w\r\n]|_)?[^\W\d_]{{1,{WORD_LETTERS}}}"  # letters, with the space or sign before them
    r"|\d{1,3}"
    r"| ?(?:[^\w\s]|_)+"
    r"|\s+"
)


def pieces(text: str) -> list[str]:
    """The tokens of a text, in order; together they are the text."""
    return _PIECE.findall(text)
