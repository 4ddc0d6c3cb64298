import os

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything that a test may need is there, a skipped test is a failed run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CONVSCOPE_SKIPS_FAIL") and reporter and reporter.stats.get("skipped"):
        for report in reporter.stats["skipped"]:
            reporter.write_line(f"SKIPPED where nothing may be: {report.longrepr}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
