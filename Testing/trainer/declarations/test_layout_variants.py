"""Which names the patterns catch beyond the examples: other releases of a data set, and files that are no data."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.megamedical.declaration import builtin_declarations
from trainer.megamedical.index import Case, GroupMatch, match_dataset

UID = "1.3.6.1.4.1.14519.5.2.1.6279.6001.1"

# data set, image, label, subject: each pair lies in another release or another folder than the examples do.
OTHER_RELEASES = [
    ("ACDC", "training/patient002/patient002_frame12.nii.gz", "training/patient002/patient002_frame12_gt.nii.gz",
     "patient002"),
    ("CAMUS", "train-patient0007/patient0007_2CH_ES.mhd", "train-patient0007/patient0007_2CH_ES_gt.mhd", "patient0007"),
    ("PROMISE12", "training_data/Case00.mhd", "training_data/Case00_segmentation.mhd", "Case00"),
    ("PROMISE12", "SAML/HK/Case40.nii.gz", "SAML/HK/Case40_Segmentation.nii.gz", "Case40"),
    ("I2CVB", "images/Case03.nii.gz", "segs/Case03_segmentation.nii.gz", "Case03"),
    ("NCI-ISBI", "BMC/Case03.nii.gz", "BMC/Case03_Segmentation.nii.gz", "Case03"),
    ("FLARE", "imagesTr/train_005_0000.nii.gz", "labelsTr/train_005.nii.gz", "train_005"),
    ("FeTA", "feta_2.0/sub-050/anat/sub-050_rec-irtk_T2w.nii.gz", "feta_2.0/sub-050/anat/sub-050_rec-irtk_dseg.nii.gz",
     "sub-050"),
    ("BTCV", "images/img0003.nii.gz", "segs/label0003.nii.gz", "0003"),
    ("LiTS", "volumes/volume-27.nii.gz", "segmentations/segmentation-27.nii.gz", "27"),
    ("LUNA", f"subset9/{UID}.mhd", f"part1/seg-lungs-LUNA16/{UID}.mhd", UID),
    ("BUS", "Dataset_B/original/000042.PNG", "Dataset_B/GT/000042.png", "000042"),
    ("STARE", "images/im0077.ppm", "labels/im0077.vk.ppm", "im0077"),
    ("EOphtha", "e_ophtha_EX/EX/E1/C2.JPG", "e_ophtha_EX/Annotation_EX/E1/C2.png", "E1"),
    ("IDRID", "A.%20Segmentation/1. Original Images/b. Testing Set/IDRiD_60.jpg",
     "A.%20Segmentation/2. All Segmentation Groundtruths/b. Testing Set/5. Optic Disc/IDRiD_60_OD.tif", "IDRiD_60"),
    ("ISIC", "ISIC-2017_Test_v2_Data/ISIC_0012086.jpg",
     "ISIC-2017_Test_v2_Part1_GroundTruth/ISIC_0012086_segmentation.png", "ISIC_0012086"),
    ("PanNuke", "Fold3/images/fold3/images.npy", "Fold3/masks/fold3/masks.npy", "fold3"),
    ("VerSe", "dataset-02validation/rawdata/sub-verse500/sub-verse500_dir-sag_split-verse2_ct.nii.gz",
     "dataset-02validation/derivatives/sub-verse500/sub-verse500_dir-sag_split-verse2_seg-vert_msk.nii.gz",
     "sub-verse500"),
    ("WMH", "test/Amsterdam/Philips_VU .PETMR_01./161/pre/T1.nii.gz",
     "test/Amsterdam/Philips_VU .PETMR_01./161/wmh.nii.gz", "161"),
    ("CheXplanation", "CheXpert-v1.0/valid/patient1/study1/view1_frontal.jpg", "gt_segmentation_val.json", "patient1"),
    ("cDEMRIS", "LAF_Post/p3/de_b_3.nrrd", "LAF_Post/p3/la_seg_b_3.nrrd", "p3"),
    ("OCTA500", "OCTA_6mm/Projection Maps/OCTA(FULL)/10300.bmp", "Label/GT_Artery/10300.bmp", "10300"),
    ("OCTA500", "OCTA_3mm/Projection Maps/OCT(FULL)/10500.bmp", "Label/GT_FAZ/10500.bmp", "10500"),
    ("COBRE", "COBRE_freesurfer/A001/mri/orig.nii.gz", "COBRE_freesurfer/A001/mri/aseg.nii.gz", "A001"),
]  # fmt: skip

# Beside the files of a data set in its archives, and no data: each stands next to the example pair.
NO_DATA = {
    "ACDC": ["ACDC/database/training/patient001/patient001_4d.nii.gz", "ACDC/database/training/patient001/Info.cfg"],
    "BRATS": ["BRATS2015_Training/HGG/brats_2013_pat0001_1/VSD.Brain.XX.O.MR_T1p.1/VSD.Brain.XX.O.MR_T1p.1.mha"],
    "CAMUS": ["database_nifti/patient0001/patient0001_4CH_half_sequence.nii.gz"],
    "LiTS": ["Test/test-volume-1.nii"],
    "MSD": ["Task03_Liver/imagesTr/._liver_002.nii.gz", "Task03_Liver/imagesTs/liver_9.nii.gz", "Task03_Liver/x.json"],
    "OASIS": ["neurite-oasis.v1.0/OASIS_OAS1_0001_MR1/aligned_seg4.nii.gz"],
    "ROSE": ["ROSE-1/SVC/train/thick_gt/01.tif", "ROSE-1/SVC/train/thin_gt/01.tif"],
    "DRIVE": ["DRIVE/training/mask/21_training_mask.gif", "DRIVE/test/images/01_test.tif"],
    "ISIC": ["ISIC-2017_Training_Data/ISIC_0000000_superpixels.png"],
    "ISLES": ["ISLES2017/training/training_1/VSD.Brain.XX.O.MR_4DPWI.1/VSD.Brain.XX.O.MR_4DPWI.1.nii"],
    "PROMISE12": ["PROMISE12/Case37_segmentation.csv"],
    "WMH": ["dataverse_files/training/Amsterdam/GE3T/100/pre/3DT1.nii.gz",
            "dataverse_files/training/Amsterdam/GE3T/100/orig/FLAIR.nii.gz"],
    "FetoPlac": ["FetoscopyPlacentaDataset/Vessel_segmentation_annotations/video01/readme.txt"],
    "CheXplanation": ["CheXlocalize/CheXlocalize/hb_segmentations_test.json"],
}  # fmt: skip


def _touch(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def _match(name: str, folder: Path) -> list[GroupMatch]:
    return match_dataset(builtin_declarations()[name], folder)


def _cases(matches: list[GroupMatch]) -> list[Case]:
    return [case for match in matches for case in match.cases]


@pytest.mark.parametrize(("name", "image", "label", "subject"), OTHER_RELEASES, ids=lambda text: str(text)[:40])
def test_other_releases_are_paired(name: str, image: str, label: str, subject: str, tmp_path: Path) -> None:
    _touch(tmp_path / name, image, label)
    matches = _match(name, tmp_path)
    [case] = _cases(matches)
    assert case.subject == subject
    assert [path.relative_to(tmp_path / name).as_posix() for path in case.files()] == [image, label]
    assert not [problem for match in matches for problem in match.problems]


@pytest.mark.parametrize("name", NO_DATA)
def test_what_is_no_data_is_not_caught(name: str, tmp_path: Path) -> None:
    group = next(g for g in builtin_declarations()[name].groups if g.roots[0] == "." or _beside(g.roots[0], name))
    root = "" if group.roots[0] == "." else f"{group.roots[0]}/"
    _touch(tmp_path / name, root + group.example_image, root + group.example_label, *NO_DATA[name])
    matches = _match(name, tmp_path)
    assert len(_cases(matches)) == 1
    assert not [problem for match in matches for problem in match.problems]


def _beside(root: str, name: str) -> bool:
    return all(path.startswith(root) for path in NO_DATA[name])


def test_the_present_release_is_left_out_where_the_first_one_is_there(tmp_path: Path) -> None:
    """Both hold the same eyes."""
    folder = tmp_path / "OCTA500"
    _touch(folder, "OCTA_3M/Projection Maps/OCT(FULL)/10301.bmp", "OCTA_3M/GroundTruth/10301.bmp")
    _touch(folder, "OCTA_3mm/Projection Maps/OCT(FULL)/10301.bmp", "Label/GT_FAZ/10301.bmp")
    _touch(folder, "OCTA_6mm/Projection Maps/OCT(FULL)/10001.bmp", "Label/GT_FAZ/10001.bmp")
    assert [case.group.name for case in _cases(_match("OCTA500", tmp_path))] == ["3 mm", "6 mm, present release"]


def test_t1_and_t1c_of_brats_are_told_apart(tmp_path: Path) -> None:
    """The original looked for MR_T1* and could get either."""
    folder = "BRATS2015_Training/HGG/brats_2013_pat0001_1"
    names = ["VSD.Brain.XX.O.MR_T1c.54514", "VSD.Brain.XX.O.MR_T1.54513", "VSD.Brain_3more.XX.O.OT.54517"]
    _touch(tmp_path / "BRATS", *(f"{folder}/{name}/{name}.mha" for name in names))
    [case] = _cases(_match("BRATS", tmp_path))
    assert {channel: Path(files[0].path).stem for channel, files in case.images.items()} == {
        "T1c": names[0],
        "T1": names[1],
    }
