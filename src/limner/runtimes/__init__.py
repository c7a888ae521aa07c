"""One runtime, one file; each gives a `Predictor`."""

import sys

# OpenVINO's converter and NNCF report their use to an analytics service unless a file in the user's home folder says no. Both do
# without the package that reports, so it is made to look absent before any module here imports them. Limner sends nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
