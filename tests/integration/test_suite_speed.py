"""A thousand cases in under ten seconds on two processors, by processor time, which other tests do not lengthen."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.commands import clean_environment

pytestmark = pytest.mark.long  # a drill
ROOT = Path(__file__).resolve().parents[2]


def test_a_thousand_cases(tmp_path: Path) -> None:
    """Of a tenant with seven actions; all processes together have less than two processors can do in ten seconds."""
    tenant = tmp_path / "acme"
    source = ROOT / "deploy/demo/tenants/acme"
    (tenant / "actions").mkdir(parents=True)
    (tenant / "tests").mkdir()
    for path in source.glob("actions/*.py"):
        (tenant / "actions" / path.name).write_text(path.read_text())
    (tenant / "tenant.yaml").write_text((source / "tenant.yaml").read_text())
    users = {f"u{at}": {"user_id": f"u{at}", "email": f"u{at}@example.com"} for at in range(50)}
    cases = [
        {"name": f"case {at}", "user": f"u{at % 50}", "event": {"stats": {"logins_count": at}},
         "expect": {"outcome": "mfa_required"}}
        for at in range(1000)
    ]  # fmt: skip
    (tenant / "tests" / "many.yaml").write_text(json.dumps({"users": users, "cases": cases}))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "runtime.cli", "test", str(tenant), "-o", "json"],
        capture_output=True, text=True, timeout=300, env=clean_environment(), check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert json.loads(done.stdout)["passed"] == 1000, done.stderr
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent_s < 2 * 10
