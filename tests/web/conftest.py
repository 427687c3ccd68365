"""What was not tested for want of a browser is told at the end, in a line of its own."""

from __future__ import annotations


def pytest_terminal_summary(terminalreporter):
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", ())
        if "test_annotator" in report.nodeid
    ]
    if skipped:
        terminalreporter.write_line(
            "THE ANNOTATOR WAS NOT TESTED IN A BROWSER: install Chromium and playwright "
            "(`make test-tools`).",
            yellow=True,
            bold=True,
        )
