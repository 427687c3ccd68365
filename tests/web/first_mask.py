"""From `seem serve` to the first mask in Chromium, in seconds: `python tests/web/first_mask.py`.

The sample is opened and clicked as a person would; the mask is there when pixels of it have changed
on the screen. What only a first start needs (`make serve` installs into .venv) is not counted.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from browsing import Person, annotator, chromium


def main() -> None:
    """Prints one line a run."""
    for _ in range(3):
        with chromium() as browser, tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            with annotator(Path(folder), bundle="lite") as (_, url):
                served = time.perf_counter()
                person = Person(browser, url)
                shown = time.perf_counter()
                person.sample("cat")
                opened = time.perf_counter()
                person.click(0.4, 0.5)
                person.wait_for_mask()
                masked = time.perf_counter()
                second = _second_click(person)
        print(
            f"served after {served - started:.2f} s, page {shown - started:.2f} s, "
            f"picture {opened - started:.2f} s, first mask {masked - started:.2f} s; "
            f"the click itself {masked - opened:.3f} s, the next one {second:.3f} s"
        )


def _second_click(person: Person) -> float:
    before = person.area()
    started = time.perf_counter()
    person.click(0.5, 0.8)
    person.wait_for_area(lambda area: area != before)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
