"""What other tools printed for three small sets of labels; each set has six pictures of 5 x 7.

Obtained once with scikit-learn, torchmetrics 1.9.0, MONAI 1.6.1, segmentation_models_pytorch 0.6.0 and Keras 3.15.1, each called
as `limner.metrics.compat.CONVENTIONS` says, with class ids (torchmetrics, smp, Keras), one-hot labels (MONAI) or flat arrays
(scikit-learn). Of each set the first picture is empty in both, the second is a false alarm, in the third nothing is predicted and
the fourth is perfect; in the set of four classes no picture shows the last.
"""

import numpy as np

SIZE = (5, 7)

LABELS = {  # classes: truth, prediction; a line a picture, a digit a pixel
    2: (
        (
            "00000000000000000000000000000000000",
            "00000000000000000000000000000000000",
            "00111101000101010001101100001011100",
            "10100111101100010001100001100001011",
            "11011101110111100111001001010000001",
            "11010110000001010111010101010010011",
        ),
        (
            "00000000000000000000000000000000000",
            "10010000101101111010010001011110100",
            "00000000000000000000000000000000000",
            "10100111101100010001100001100001011",
            "01011101110111100011001101011000001",
            "10010110000001010100011011000011001",
        ),
    ),
    3: (
        (
            "00000000000000000000000000000000000",
            "00000000000000000000000000000000000",
            "11001202101221020221220210121121100",
            "22012001111012020020201221002102221",
            "21121212201100002012100011021222002",
            "12220021101022201012001102121221120",
        ),
        (
            "00000000000000000000000000000000000",
            "11220200220000112012210001100110221",
            "00000000000000000000000000000000000",
            "22012001111012020020201221002102221",
            "20022202200100212010110211021022001",
            "10220001102122102122001002121221120",
        ),
    ),
    4: (
        (
            "00000000000000000000000000000000000",
            "00000000000000000000000000000000000",
            "11011201101201202111101011010122001",
            "11201111111010121011101110120011101",
            "10100102101200121212200221211122222",
            "20010102111001211222201221020220121",
        ),
        (
            "00000000000000000000000000000000000",
            "10011101112012011122222000220011001",
            "00000000000000000000000000000000000",
            "11201111111010121011101110120011101",
            "20120002101210121211100201221112121",
            "10010102111200111122211221020121122",
        ),
    ),
}

PRINTED = {
    2: {
        "scikit-learn f1_score": 0.656716,
        "scikit-learn jaccard_score of each picture": 0.393254,
        "scikit-learn jaccard_score macro": 0.60589,
        "A f1": 0.434069,
        "A jaccard": 0.393254,
        "A recall": 0.423633,
        "A precision": 0.446742,
        "torchmetrics MeanIoU": 0.61995,
        "torchmetrics MeanIoU without background": 0.471905,
        "torchmetrics DiceScore macro": 0.719299,
        "MONAI DiceMetric": 0.775903,
        "MONAI DiceMetric without background": 0.651104,
        "MONAI DiceMetric with empty pictures": 0.600736,
        "MONAI MeanIoU without background": 0.589881,
        "smp iou_score micro": 0.488889,
        "smp iou_score macro": 0.488889,
        "smp iou_score micro-imagewise": 0.559921,
        "smp iou_score macro-imagewise": 0.559921,
        "Keras MeanIoU": 0.60589,
        "Keras MeanIoU on scores": 0.338095,
        "D mean IoU": 0.60589,
    },
    3: {
        "scikit-learn f1_score": 0.67027,
        "scikit-learn jaccard_score of each picture": 0.407407,
        "scikit-learn jaccard_score macro": 0.484546,
        "A f1": 0.445114,
        "A jaccard": 0.407407,
        "A recall": 0.436522,
        "A precision": 0.454365,
        "torchmetrics MeanIoU": 0.495778,
        "torchmetrics MeanIoU without background": 0.418691,
        "torchmetrics DiceScore macro": 0.622669,
        "MONAI DiceMetric": 0.686161,
        "MONAI DiceMetric without background": 0.60186,
        "MONAI DiceMetric with empty pictures": 0.567907,
        "MONAI MeanIoU without background": 0.523363,
        "smp iou_score micro": 0.516245,
        "smp iou_score macro": 0.484546,
        "smp iou_score micro-imagewise": 0.582823,
        "smp iou_score macro-imagewise": 0.551803,
        "Keras MeanIoU": 0.484546,
        "Keras MeanIoU on scores": 0.180952,
        "D mean IoU": 0.545951,
    },
    4: {
        "scikit-learn f1_score": 0.729064,
        "scikit-learn jaccard_score of each picture": 0.452381,
        "scikit-learn jaccard_score macro": 0.485709,
        "A f1": 0.474359,
        "A jaccard": 0.452381,
        "A recall": 0.480513,
        "A precision": 0.468661,
        "torchmetrics MeanIoU": 0.503501,
        "torchmetrics MeanIoU without background": 0.412614,
        "torchmetrics DiceScore macro": 0.628634,
        "MONAI DiceMetric": 0.685371,
        "MONAI DiceMetric without background": 0.596369,
        "MONAI DiceMetric with empty pictures": 0.709497,
        "MONAI MeanIoU without background": 0.515768,
        "smp iou_score micro": 0.516245,
        "smp iou_score macro": 0.614282,
        "smp iou_score micro-imagewise": 0.584331,
        "smp iou_score macro-imagewise": 0.669001,
        "Keras MeanIoU": 0.485709,
        "Keras MeanIoU on scores": 0.173016,
        "D mean IoU": 0.584616,
    },
}


def labels(classes):
    """Truth and prediction, ``(6, 5, 7)`` each."""
    return tuple(np.array([[int(c) for c in line] for line in side]).reshape(-1, *SIZE) for side in LABELS[classes])
