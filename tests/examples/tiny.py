"""Ten small real pictures from the demo set, in the layouts that the notebooks start from."""

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from limner.api.demo import DATA

SIZE_WH = (64, 48)


def pictures():
    """Ten pairs: picture ``(48, 64, 3)`` uint8 and mask ``(48, 64)`` bool, each mask with an object."""
    found = []
    for file in sorted((DATA / "images").glob("*.png")):
        image = Image.open(file).convert("RGB").resize(SIZE_WH, Image.Resampling.BOX)
        mask = Image.open(DATA / "masks" / file.name).convert("L").resize(SIZE_WH, Image.Resampling.NEAREST)
        labels = np.asarray(mask) > 0
        if labels.sum() > 60:
            found.append((np.asarray(image), labels))
    assert len(found) >= 10
    return found[:10]


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def matlab_slices(folder):
    """Five patients with two slices each, as MATLAB 7.3 stores them: columns first, text as codes."""
    import h5py

    truth = {}
    folder.mkdir()
    for number, (image, mask) in enumerate(pictures(), 1):
        patient = f"{1000 + (number + 1) // 2}"
        with h5py.File(folder / f"{number}.mat", "w") as file:
            group = file.create_group("cjdata")
            group["image"] = (image.mean(axis=2) * 13).astype(np.int16).T
            group["tumorMask"] = mask.astype(np.uint8).T
            group["PID"] = np.array([[ord(letter)] for letter in patient], np.uint16)
        truth[f"{patient}_{number}"] = mask
    return truth


def split_folders(folder):
    """Gray slices in train, valid and test; masks of 0 and 255 in all of them."""
    for number, (image, mask) in enumerate(pictures()):
        part = ("train", "train", "train", "valid", "test")[number % 5]
        name = f"spleen_{number % 5}_{number:03}.png"
        save(folder / part / "images" / name, image.mean(axis=2).astype(np.uint8))
        save(folder / part / "masks" / name, mask.astype(np.uint8) * 255)


def zipped(file):
    """Two folders inside one, as a file manager packs them."""
    with zipfile.ZipFile(file, "w") as archive:
        for number, (image, mask) in enumerate(pictures()):
            for kind, array in (("images", image), ("masks", mask.astype(np.uint8) * 255)):
                loose = file.with_name(f"{kind}-{number}.png")
                save(loose, array)
                archive.write(loose, f"mine/{kind}/cell.{number}.png")
                loose.unlink()


def trimaps(folder):
    """Photographs, trimaps of 1, 2, 3 and the two lists; one photograph is no JPEG although its name says so."""
    stems = [f"Breed_{number}" for number in range(10)]
    truth = {}
    for number, (stem, (image, mask)) in enumerate(zip(stems, pictures(), strict=True)):
        trimap = np.where(mask, 1, 2).astype(np.uint8)
        trimap[:, 1:][mask[:, 1:] != mask[:, :-1]] = 3
        save(folder / "annotations" / "trimaps" / f"{stem}.png", trimap)
        photograph = folder / "images" / f"{stem}.jpg"
        photograph.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(photograph, format="PNG" if number == 3 else "JPEG")
        truth[stem] = trimap
    lists = {"trainval": stems[:7], "test": stems[7:]}
    for name, listed in lists.items():
        text = "#Image CLASS-ID SPECIES BREED ID\n" + "".join(f"{stem} 1 1 1\n" for stem in listed)
        (folder / "annotations" / f"{name}.txt").write_text(text)
    return truth


def bitmaps(folder):
    """BMP photographs and masks, every second mask with one bit per pixel."""
    for number, (image, mask) in enumerate(pictures(), 1):
        save(folder / "dataset" / f"{number}.bmp", image)
        path = folder / "groundtruth" / "mask" / f"{number}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        gray = Image.fromarray(mask.astype(np.uint8) * 255)
        (gray.convert("1") if number % 2 else gray).save(path)


def volumes(folder):
    """One volume of six slices as NIfTI, in Hounsfield units; returns its labels ``(X, Y, Z)``."""
    import nibabel

    stack = [(image.mean(axis=2) * 4 - 500, mask) for image, mask in pictures()[:6]]
    image = np.stack([values.T for values, _ in stack], axis=2).astype(np.int16)
    labels = np.stack([mask.T for _, mask in stack], axis=2).astype(np.uint8)
    for name, array in (("imagesTr", image), ("labelsTr", labels)):
        (folder / name).mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), Path(folder) / name / "spleen_2.nii.gz")
    return labels
