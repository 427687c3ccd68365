import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  a \t Zebra,\n on the  LEFT! ", "a zebra, on the left!"),
        ("jacket’s “hood”", 'jacket\'s "hood"'),
        ("schÃ¶n", "schön"),
        ("fish &amp; chips", "fish & chips"),
        ("ＦＵＬＬ　ｗｉｄｔｈ ﬁne", "full width fine"),
        ("cafe\u0301", "café"),
        ("a\x00b\x1b[31m c\u2028d", "ab c d"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("", ""),
        (" \u3000\n", ""),
    ],
)
def test_texts_are_mended_trimmed_and_lowered(text, cleaned):
    pytest.importorskip("ftfy", reason="needs the `serve` or `model` extra")
    from seem_wire.cleaning import clean

    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


def test_importing_it_needs_no_ftfy():
    program = "import seem_wire.cleaning, sys; sys.exit('ftfy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
