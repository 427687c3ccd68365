"""How a text is cleaned before a tokenizer of CLIP's kind reads it.

A `tokenizer.json` can't express it, so conversion (which embeds class names) and serving (which
reads people's texts) call the same function.
"""

from __future__ import annotations


def clean(text: str) -> str:
    """The text mended, with single spaces, without a space at its ends, in lower case.

    Mending is ftfy's: wrongly decoded characters, HTML entities, curly quotes, full-width letters,
    ligatures and control characters become what was meant. Needs the `ftfy` package.
    """
    import ftfy  # noqa: PLC0415  (a client needs neither this function nor the package)

    return " ".join(ftfy.fix_text(text).split()).lower()
