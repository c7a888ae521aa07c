"""System C's pipeline in Keras on TensorFlow, as its users write it: resize to 256 x 256, BCE, Adam, `model.fit`.

    python -m benchmarks.keras_loop DATA --budget 4m --seed 0 --out FOLDER         needs: pip install tensorflow

Batches of 16, no augmentation, Adam at 1e-3, the weights of the epoch with the lowest validation loss. Reader, split and scoring
are Limner's, and so what the published pipeline gets wrong there (`SYSTEMS.md`: files paired by sort order, tests on pictures it
was trained on, perfect pictures left out of the mean) does not count against it.
"""

from __future__ import annotations

import os
import time

import cv2
import numpy as np

from benchmarks.plain_loop import SIDE, parsed, run, small_labels, small_picture

BATCH, RATE = 16, 1e-3


def arrays(samples) -> tuple[np.ndarray, np.ndarray]:
    """Pictures ``(n, 256, 256, 3)`` and truth ``(n, 256, 256, 1)`` of zeros and ones."""
    return np.stack([small_picture(sample) for sample in samples]), (small_labels(samples) > 0)[..., None].astype(
        np.float32
    )


def fit(train, val, space, *, budget: float, seed: int):
    """`model.fit` until the time is over; returns the number of steps and the function that predicts."""
    os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3")
    import keras
    from tests.runtimes.keras_builds import BUILDS

    if space.num_maps != 1:
        raise SystemExit(f"system C is binary; these pictures have the classes {space.names}")
    start = time.perf_counter()

    class Until(keras.callbacks.Callback):
        """Ends when the time is over, and counts."""

        steps = 0

        def on_train_batch_end(self, batch, logs=None):
            self.steps += 1
            if time.perf_counter() - start > budget:
                self.model.stop_training = True

    keras.utils.set_random_seed(seed)
    model = BUILDS["workshop-unet"][0]((SIDE, SIDE), 3)
    model.compile(optimizer=keras.optimizers.Adam(RATE), loss="binary_crossentropy")
    until = Until()
    best = keras.callbacks.EarlyStopping("val_loss", patience=10**6, restore_best_weights=True)
    x, y = arrays(train)
    model.fit(x, y, BATCH, epochs=10**6, verbose=0, validation_data=arrays(val), callbacks=[until, best])

    def probabilities(sample) -> np.ndarray:
        small = np.asarray(model.predict(small_picture(sample)[None], verbose=0))[0, ..., 0]
        height, width = sample.size_hw
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)[None]

    return until.steps, probabilities


if __name__ == "__main__":
    run("keras", parsed(__doc__), fit)
