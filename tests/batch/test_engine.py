"""`limner.predict` with Ray gives the files and rows of the local engine, broken pictures included."""

import numpy as np
import pytest

import limner
from tests.batch.toy import Heard
from tests.make_data import picture, save

pytest.importorskip("ray", reason="Ray is not installed (limner[ray])")
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray leaves sockets and threads to the end of the process


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for number, size_hw in enumerate([(5, 7), (40, 56), (33, 21), (64, 48), (1, 9), (57, 30), (20, 20)]):
        bright = picture(number, size_hw, 3).astype(int)
        bright[: size_hw[0] // 2] += 80
        save(root / f"some/p.{number}.png", np.clip(bright, 0, 255).astype(np.uint8))
    (root / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return root


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.png")}


def rows(manifest):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in manifest["images"]]


def test_files_and_rows_are_those_of_the_local_engine(here, pictures, tmp_path):
    heard = Heard()
    local = limner.predict("otsu", [pictures], out=tmp_path / "local", overlay=True)
    spread = limner.predict("otsu", [pictures], out=tmp_path / "ray", overlay=True, engine="ray", listener=heard)
    assert len(files(tmp_path / "local")) == 14
    assert files(tmp_path / "ray") == files(tmp_path / "local")
    assert rows(spread) == rows(local)
    assert (spread["failed"], local["failed"]) == (1, 1)
    assert {key: spread[key] for key in spread if key != "images"} == {
        key: local[key] for key in local if key != "images"
    }
    assert heard.progresses[-1][1:] == (8, 8)
