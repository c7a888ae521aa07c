"""Row 15: what exports are made with tells nobody that it was used."""

import subprocess
import sys

import pytest

CODE = """
import limner.runtimes.quantize_openvino
import nncf.telemetry.wrapper, openvino.tools.ovc.telemetry_utils
assert openvino.tools.ovc.telemetry_utils.tm.__name__ == "openvino.tools.ovc.telemetry_stub"
try:
    import openvino_telemetry
except ImportError:
    print(type(nncf.telemetry.wrapper.telemetry).__name__)
"""


def test_openvino_and_nncf_have_nothing_to_report_with():
    pytest.importorskip("nncf")
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["MagicMock"]
