"""Each module's own CPU time, without what it imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT

BUSY = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\n"


def test_a_module_is_not_charged_with_what_it_imports(tmp_path: Path) -> None:
    package = tmp_path / "outer"
    package.mkdir()
    (package / "__init__.py").write_text("import inner\n" + BUSY.format(0.1))
    (package / "more.py").write_text(BUSY.format(0.1))
    (tmp_path / "inner.py").write_text(BUSY.format(0.4))
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "cold" / "imports.py", "outer.more"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert list(found["packages"])[:2] == ["inner", "outer"]
    assert next(iter(found["modules"])) == "inner"
    assert 0.4 <= found["modules"]["inner"] < found["seconds"]
    assert 0.1 <= found["modules"]["outer"] < found["packages"]["outer"]
    assert found["modules"]["outer.more"] >= 0.1
    assert found["seconds"] >= 0.6
    assert found["page_faults"] > 0
    assert found["read_from_disk"] >= 0
