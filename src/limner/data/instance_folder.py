"""Write the objects of a data set beside its masks: ``instances/`` with a number for each object, and which classes are things."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from limner.core.files import write_text
from limner.core.protocols import Listener
from limner.data.dataset import Dataset
from limner.data.declared import FILE_NAME
from limner.data.instance_files import write_instances
from limner.data.picture_names import mask_names, plain_names

INSTANCES = "instances"


def write_instance_folder(folder: Path, dataset: Dataset, *, listener: Listener) -> None:
    """Write the objects of every picture of `dataset` below `folder`, where `write_mask_folder` has written its masks.

    A picture whose objects are not told apart gets no file. ``limner.toml`` is told the things.

    Raises
    ------
    DataError : a picture or mask cannot be read.
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    names = plain_names(dataset.items)
    masks = mask_names(names.values())
    for done, item in enumerate(dataset.items, start=1):
        objects = dataset.load(item).objects
        if objects is not None:
            path = PurePosixPath(INSTANCES, masks[names[item.name]].removesuffix(".png"))
            write_instances(folder / path, objects.ids)
        listener.progress("convert objects", done, len(dataset.items), item.name)
    declared = folder / FILE_NAME
    things = json.dumps(list(dataset.label_space.things), ensure_ascii=False)
    write_text(declared, declared.read_text(encoding="utf-8") + f"things = {things}\n")
