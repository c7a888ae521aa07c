"""Systems A to D in Keras, written from their tables and nothing else: the second implementation that ours is held to."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from keras import layers


def convolution(x, width, initializer="glorot_uniform", activation="relu"):
    return layers.Conv2D(width, 3, padding="same", activation=activation, kernel_initializer=initializer)(x)


def doubled(x, width):
    return layers.Conv2DTranspose(width, 2, strides=2, padding="same")(x)


def answer(inputs, x):
    return keras.Model(inputs, layers.Conv2D(1, 1, activation="sigmoid")(x))


def brain_tumour(size_hw, channels=3):
    """64 to 512, bottleneck 1024; convolution, batch norm, ReLU, twice."""

    def block(x, width):
        for _ in range(2):
            x = layers.Activation("relu")(layers.BatchNormalization()(convolution(x, width, activation=None)))
        return x

    inputs = x = keras.Input((*size_hw, channels))
    skips = []
    for width in (64, 128, 256, 512):
        skips.append(block(x, width))
        x = layers.MaxPooling2D()(skips[-1])
    x = block(x, 1024)
    for width, skip in zip((512, 256, 128, 64), reversed(skips), strict=True):
        x = block(layers.Concatenate()([doubled(x, width), skip]), width)
    return answer(inputs, x)


def spleen(size_hw, channels=1):
    """32, 64, 128, bottleneck 256; two ReLU convolutions, then one batch norm; dropout in the first decoder level."""

    def level(x, width, dropout=0.0):
        x = convolution(x, width, "he_normal")
        if dropout:
            x = layers.Dropout(dropout)(x)
        return layers.BatchNormalization()(convolution(x, width, "he_normal"))

    inputs = x = keras.Input((*size_hw, channels))
    skips = []
    for width in (32, 64, 128):
        skips.append(level(x, width))
        x = layers.MaxPooling2D()(skips[-1])
    x = level(x, 256)
    for width, skip, dropout in zip((128, 64, 32), reversed(skips), (0.5, 0, 0), strict=True):
        x = level(layers.concatenate([doubled(x, width), skip]), width, dropout)
    return answer(inputs, x)


def workshop(size_hw, channels=3):
    """16 to 128, bottleneck 256; convolution, dropout, convolution."""

    def level(x, width, dropout):
        return convolution(layers.Dropout(dropout)(convolution(x, width, "he_uniform")), width, "he_uniform")

    inputs = x = keras.Input((*size_hw, channels))
    skips = []
    for width, dropout in zip((16, 32, 64, 128), (0.1, 0.1, 0.2, 0.2), strict=True):
        skips.append(level(x, width, dropout))
        x = layers.MaxPooling2D()(skips[-1])
    x = level(x, 256, 0.3)
    for width, skip, dropout in zip((128, 64, 32, 16), reversed(skips), (0.2, 0.2, 0.1, 0.1), strict=True):
        x = level(layers.concatenate([doubled(x, width), skip]), width, dropout)
    return answer(inputs, x)


def pets(size_hw, channels=3):
    """8 to 256, bottleneck 512; narrow transposed convolutions of 64 to 2; the last block has 16 filters."""

    def level(x, width):
        return convolution(convolution(x, width), width)

    inputs = x = keras.Input((*size_hw, channels))
    skips = []
    for width in (8, 16, 32, 64, 128, 256):
        skips.append(level(x, width))
        x = layers.MaxPooling2D()(skips[-1])
    x = level(x, 512)
    for up, width, skip in zip((64, 32, 16, 8, 4, 2), (256, 128, 64, 32, 16, 16), reversed(skips), strict=True):
        x = level(layers.concatenate([doubled(x, up), skip]), width)
    return answer(inputs, x)


BUILDS = {
    "brain-tumour-unet": (brain_tumour, 3),
    "spleen-unet": (spleen, 1),
    "workshop-unet": (workshop, 3),
    "pets-unet": (pets, 3),
}


def with_random_weights(model, seed=0):
    """Every weight drawn anew, running means and variances too; kernels keep the size of the values in bounds."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        drawn = []
        for weight in layer.weights:
            shape = tuple(weight.shape)
            if "variance" in weight.path or "gamma" in weight.path:
                drawn.append(rng.uniform(0.5, 1.5, shape))
            elif len(shape) == 4:
                drawn.append(rng.normal(0, np.sqrt(2 / np.prod(shape[:3])), shape))
            else:
                drawn.append(rng.normal(0, 0.1, shape))
        if drawn:
            layer.set_weights(drawn)
    return model
