"""Hostile files given to commands, in this process; and a server on loopback that must never hear from us."""

import json
import socket
import threading
from contextlib import contextmanager

from tests.cli.call import limner, refused
from tests.make_data import picture
from tests.security.attacks import encoded


class Canary:
    """Counts connections to a port of loopback."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.heard += 1
            connection.close()

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@contextmanager
def canary():
    """A server that nobody should call; the test fails when somebody did."""
    bird = Canary()
    try:
        yield bird
        assert bird.heard == 0
    finally:
        bird.close()


def pictures(folder, *names):
    """A folder of small pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        (folder / name).write_bytes(encoded(picture(i, (20, 30)), "PNG"))
    return folder


def check_refuses(path, *words):
    """`limner check` says what is wrong with a data set, in words, without a traceback; the words."""
    text = refused(limner("check", path))
    assert all(word in text for word in words), text
    assert len(text) < 2000
    return text


def coco(*names, **more):
    """A COCO document with one object on each of some pictures."""
    return json.dumps(
        {
            "images": [{"id": i, "file_name": name, "width": 30, "height": 20} for i, name in enumerate(names)],
            "categories": [{"id": 1, "name": "cell"}],
            "annotations": [
                {
                    "id": i,
                    "image_id": i,
                    "category_id": 1,
                    "iscrowd": 0,
                    "area": 99,
                    "bbox": [2, 3, 18, 9],
                    "segmentation": [[2, 3, 20, 3, 20, 12]],
                }
                for i in range(len(names))
            ],
            **more,
        }
    )
