"""NPY stacks, NIfTI volumes and DICOM slices as pictures."""

import numpy as np
import pytest

from limner.core.errors import DataError
from limner.data.checks import examine
from limner.data.open_layout import open_layout
from limner.data.pixels import load_header, load_image, raw_mask
from limner.data.stacks import num_frames, patient_of, read_frame, spacing_of

rng = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("shape", "frames", "image"),
    [
        ((5, 7), 1, (5, 7, 1)),
        ((5, 7, 3), 1, (5, 7, 3)),
        ((9, 5, 7), 9, (5, 7, 1)),
        ((4, 5, 7, 2), 4, (5, 7, 2)),
        ((4, 2, 50, 70), 4, (50, 70, 2)),
    ],
)
def test_npy_shapes(tmp_path, shape, frames, image):
    array = rng.integers(0, 256, shape).astype(np.uint8)
    np.save(tmp_path / "a.npy", array)
    assert num_frames(tmp_path / "a.npy") == frames
    assert read_frame(tmp_path / "a.npy", frames - 1).shape == image


def test_npy_values_are_kept(tmp_path):
    stack = rng.normal(size=(3, 5, 7))
    np.save(tmp_path / "a.npy", stack)
    np.testing.assert_array_equal(read_frame(tmp_path / "a.npy", 2)[..., 0], stack[2].astype(np.float32))
    np.save(tmp_path / "b.npy", np.array([[True, False]]))
    assert read_frame(tmp_path / "b.npy").tolist() == [[[255], [0]]]
    np.save(tmp_path / "c.npy", np.array([[0, 65535]]))
    assert read_frame(tmp_path / "c.npy").dtype == np.uint16


def test_npy_files_that_are_refused(tmp_path):
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "five.npy", np.zeros((2, 2, 2, 2, 2)))
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00")
    np.save(tmp_path / "nan.npy", np.array([[0.0, np.nan]]))
    for name in ("pickled", "five", "cut", "nan", "absent"):
        with pytest.raises(DataError) as error:
            read_frame(tmp_path / f"{name}.npy")
        assert name in str(error.value)


def test_pairs_of_npy_stacks_become_pictures_with_masks(tmp_path):
    images = rng.integers(0, 256, (4, 5, 7, 3)).astype(np.uint8)
    masks = rng.integers(0, 2, (4, 5, 7, 1)).astype(bool)
    np.save(tmp_path / "train_x.npy", images)
    np.save(tmp_path / "train_y.npy", masks)
    _, layout = open_layout(tmp_path)
    assert [item.name for item in layout.items] == [f"train_x/{i:04d}" for i in range(4)]
    np.testing.assert_array_equal(load_image(layout.items[2]), images[2])
    np.testing.assert_array_equal(raw_mask(layout.items[2]).values, masks[2, ..., 0])
    assert load_header(layout.items[0]).size_hw == (5, 7)


def test_one_map_per_class_becomes_ids(tmp_path):
    ids = rng.integers(0, 3, (2, 5, 7))
    np.save(tmp_path / "images.npy", rng.random((2, 5, 7)))
    np.save(tmp_path / "masks.npy", np.eye(3, dtype=np.uint8)[ids])
    _, layout = open_layout(tmp_path)
    np.testing.assert_array_equal(raw_mask(layout.items[1]).values, ids[1])


def test_stacks_of_different_length_are_named(tmp_path):
    np.save(tmp_path / "a_x.npy", np.zeros((3, 5, 7)))
    np.save(tmp_path / "a_y.npy", np.zeros((2, 5, 7)))
    with pytest.raises(DataError, match=r"a_x.npy holds 3 pictures, a_y.npy 2 masks"):
        open_layout(tmp_path)


def test_nifti_slices_are_axial_whatever_the_stored_orientation(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    values = rng.integers(-500, 500, (5, 7, 3)).astype(np.int16)  # x to the right, y to the front, z up
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 0.5, 4.0, 1])), tmp_path / "images" / "ct.nii.gz")
    turned = np.diag([-2.0, 0.5, 4.0, 1])  # the same volume, stored from right to left
    turned[0, 3] = 8  # where the first stored voxel lies
    labels = (values > 0).astype(np.uint8)[::-1]
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(labels), turned), tmp_path / "masks" / "ct.nii.gz")
    _, layout = open_layout(tmp_path)
    assert [item.name for item in layout.items] == [f"images/ct/{z:04d}" for z in range(3)]
    assert {item.group for item in layout.items} == {"ct"}
    image = load_image(layout.items[1])
    assert image.shape == (7, 5, 1)
    assert image[0, 0, 0] == values[0, 6, 1]  # the front is up, the patient's left column first
    np.testing.assert_array_equal(raw_mask(layout.items[1]).values, image[..., 0] > 0)
    assert spacing_of(tmp_path / "images" / "ct.nii.gz") == (0.5, 2.0)


@pytest.mark.parametrize("other", ["mask", "channel"])
@pytest.mark.parametrize("shift", [0.0, 0.2, 60.0])
def test_volumes_that_would_be_turned_apart_are_refused(tmp_path, shift, other):
    """An array saved without its picture's header holds the voxels in the picture's order and says otherwise."""
    nibabel = pytest.importorskip("nibabel")
    values = rng.integers(0, 900, (5, 7, 3)).astype(np.int16)
    stored = np.diag([-1.0, -1.0, 2.0, 1])  # left, posterior, superior, as dcm2niix writes it
    stored[:2, 3] = 4 + shift, 6
    names = {
        "mask": ("images/a.nii.gz", "masks/a.nii.gz"),
        "channel": ("imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz"),
    }
    for name in names[other] + (("labelsTr/a.nii.gz",) if other == "channel" else ()):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        affine = np.diag([1.0, 1.0, 2.0, 1]) if name == names[other][1] else stored
        turned = values[::-1, ::-1] if name == names[other][1] else values
        nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(turned > 450).astype(np.int16), affine), tmp_path / name)
    if other == "channel":
        (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "spleen": 1}}')
    if shift < 1:  # the headers agree, but for their rounding
        item = open_layout(tmp_path)[1].items[1]
        image = load_image(item)
        np.testing.assert_array_equal(raw_mask(item).values if other == "mask" else image[..., 1], image[..., 0])
        return
    with pytest.raises(DataError, match=rf"{names[other][0]} is stored LPS, {names[other][1]} RAS") as error:
        open_layout(tmp_path)
    assert "image.affine" in error.value.fix


def test_volumes_of_one_name_in_several_folders_are_several(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    for who in (1, 2, 3):
        for folder in ("images", "masks"):
            path = tmp_path / folder / f"patient{who}" / "ct.nii.gz"
            path.parent.mkdir(parents=True)
            nibabel.save(nibabel.Nifti1Image(rng.integers(0, 2, (5, 7, 3)).astype(np.int16), np.eye(4)), path)
    items = open_layout(tmp_path)[1].items
    assert {item.group for item in items} == {f"images/patient{who}/ct" for who in (1, 2, 3)}
    assert all(item.is_volume for item in items)


def test_volumes_of_one_orientation_pair_voxel_by_voxel(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    values = rng.integers(0, 2, (5, 7, 3)).astype(np.int16)
    for folder, affine in (("images", np.diag([0.7, 0.7, 5.0, 1])), ("masks", np.eye(4))):
        (tmp_path / folder).mkdir()
        nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / folder / "ct.nii.gz")
    item = open_layout(tmp_path)[1].items[0]
    np.testing.assert_array_equal(raw_mask(item).values, load_image(item)[..., 0])


@pytest.mark.parametrize("with_background", [True, False])
def test_maps_of_classes_in_a_volume_become_ids_or_are_refused(tmp_path, with_background):
    nibabel = pytest.importorskip("nibabel")
    ids = rng.integers(0, 3, (7, 5, 4))
    maps = np.eye(3, dtype=np.uint8)[ids][..., 0 if with_background else 1 :]
    for folder, values in (("images", ids.astype(np.int16) * 90), ("masks", maps)):
        (tmp_path / folder).mkdir()
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / folder / "ct.nii.gz")
    item = open_layout(tmp_path)[1].items[2]
    if with_background:
        np.testing.assert_array_equal(raw_mask(item).values, load_image(item)[..., 0] // 90)
        assert len(examine(tmp_path).reading.label_space) == 3
        return
    with pytest.raises(DataError, match=r"ct.nii.gz holds masks of shape \(5, 7, 2\)"):
        raw_mask(item)
    assert any(found.level == "error" for found in examine(tmp_path).findings)


def test_all_slices_of_a_volume_have_one_dtype(tmp_path):
    """One value below zero, or above 16 bit, anywhere in the file."""
    nibabel = pytest.importorskip("nibabel")
    values = rng.integers(0, 900, (7, 5, 4)).astype(np.int16)
    values[2, 3, 3] = -7
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "ct.nii")
    np.save(tmp_path / "a.npy", values.transpose(2, 1, 0))
    np.save(tmp_path / "b.npy", np.abs(values.transpose(2, 1, 0)).astype(">u2"))
    for name, dtype in (("ct.nii", np.float32), ("a.npy", np.float32), ("b.npy", np.uint16)):
        frames = [read_frame(tmp_path / name, i) for i in range(4)]
        assert {frame.dtype for frame in frames} == {np.dtype(dtype)}
        assert np.array_equal(
            np.sort(np.ravel(frames)), np.sort(np.abs(values) if name == "b.npy" else values, axis=None)
        )
        frames[0][:] = 0  # a picture is the caller's own
        assert read_frame(tmp_path / name, 0).any()
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    (tmp_path / "ct.nii").rename(tmp_path / "images/ct.nii")
    nibabel.save(nibabel.Nifti1Image((values > 400).astype(np.uint8), np.eye(4)), tmp_path / "masks/ct.nii")
    assert "BIT_DEPTH" not in {found.code for found in examine(tmp_path).findings}


def dicom(path, stored, **tags):
    """A DICOM file of one slice; tags may be left empty by None."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    file.Rows, file.Columns = stored.shape
    file.BitsAllocated = file.BitsStored = 16
    file.HighBit, file.PixelRepresentation, file.SamplesPerPixel = 15, int(stored.dtype.kind == "i"), 1
    file.PhotometricInterpretation = "MONOCHROME2"
    for name, value in tags.items():
        setattr(file, name, value)
    file.PixelData = stored.tobytes()
    path.parent.mkdir(exist_ok=True)
    pydicom.dcmwrite(path, file)
    return path


def test_dicom_slices_have_their_unit_and_patient(tmp_path):
    stored = rng.integers(0, 4000, (5, 7)).astype(np.uint16)
    tags = {"PatientID": "P7", "RescaleSlope": "2", "RescaleIntercept": "-1024", "PixelSpacing": ["0.5", "0.75"]}
    dicom(tmp_path / "images" / "s.dcm", stored, **tags)
    np.testing.assert_array_equal(read_frame(tmp_path / "images" / "s.dcm")[..., 0], stored * 2.0 - 1024)
    assert spacing_of(tmp_path / "images" / "s.dcm") == (0.5, 0.75)
    (tmp_path / "masks").mkdir()
    np.save(tmp_path / "masks" / "s.npy", (stored > 2000))
    _, layout = open_layout(tmp_path)
    assert [item.name for item in layout.items] == ["images/s.dcm"]
    assert examine(tmp_path).facts["images/s.dcm"].patient == "P7"


def test_empty_dicom_tags_mean_their_defaults(tmp_path):
    stored = rng.integers(0, 4000, (5, 7)).astype(np.uint16)
    empty = dict.fromkeys(("RescaleSlope", "RescaleIntercept", "PixelSpacing", "PatientID"))
    path = dicom(tmp_path / "s.dcm", stored, **empty)
    np.testing.assert_array_equal(read_frame(path)[..., 0], stored)
    assert spacing_of(path) is None and patient_of(path) == ""


@pytest.mark.parametrize(
    ("dtype", "bits", "ends"), [(np.uint16, 16, (0, 65535)), (np.uint16, 12, (0, 4095)), (np.int16, 12, (-2048, 2047))]
)
def test_dicom_pictures_whose_smallest_value_is_white_are_turned_round(tmp_path, dtype, bits, ends):
    stored = rng.integers(*ends, (5, 7), endpoint=True).astype(dtype)
    tags = {"BitsStored": bits, "HighBit": bits - 1, "RescaleSlope": "2", "RescaleIntercept": "-10"}
    path = dicom(tmp_path / "s.dcm", stored, PhotometricInterpretation="MONOCHROME1", **tags)
    found = read_frame(path)[..., 0]
    np.testing.assert_array_equal(found, (sum(ends) - stored.astype(int)) * 2.0 - 10)
