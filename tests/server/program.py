"""A server in a process of its own, for tests that send signals: ``python -m tests.server.program SECONDS GRACE QUEUE``.

With SECONDS below 0 every prediction waits for the signal USR1.
"""

import json
import signal
import sys

from limner.server.engine import Engine
from limner.server.limits import Limits
from limner.server.loaded import ModelSpec
from limner.server.run import bind, run
from limner.server.settings import Settings
from tests.server.fakes import Threshold, opening


def main():
    seconds, grace, queue = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    listener = bind("127.0.0.1", 0)
    limits = Limits(queue=queue)
    settings = Settings(port=listener.getsockname()[1], limits=limits, grace=grace)
    segmenter = Threshold(max(0.0, seconds))
    if seconds < 0:
        segmenter.gate.clear()
        signal.signal(signal.SIGUSR1, lambda *_: segmenter.gate.set())
    engine = Engine([ModelSpec("m", "m")], opening(segmenter), limits=limits)
    sys.exit(
        run(
            settings,
            engine,
            listener=listener,
            ready=lambda document: print(json.dumps(document), flush=True),
            say=lambda text: print(text, file=sys.stderr, flush=True),
        )
    )


if __name__ == "__main__":
    main()
