"""Batches for training: shuffled anew every epoch, augmented on the fly."""

import numpy as np


def training_batches(
    images_i8, labels, *, batch_size=64, pixel_scale=128.0, augment=True, seed=0
):
    """Feed a network with training images, in a new order every epoch.

    Parameters
    ----------
    images_i8 : ndarray, int8, shape (N, 28, 28, 1)
        ``pixel - 128``.
    labels : ndarray, integers, shape (N,)
        Digits, 0 to 9.
    batch_size : int
        Images in a batch; the last batch of an epoch has what is left.
    pixel_scale : float
        The network is given ``images_i8 / pixel_scale``.
    augment : bool
        Whether each image is varied at random before the network sees it.
    seed : int
        Same seed and same number of threads, same batches.

    Returns
    -------
    tf.data.Dataset
        One epoch of pairs (float32 images, int32 labels), reshuffled each time it is
        iterated.
    """
    import tensorflow as tf

    from helpers.learn.augmentation import augment as vary

    count = len(images_i8)
    images = tf.constant(images_i8)
    targets = tf.constant(np.asarray(labels, np.int32))

    def batch_of(index, seed_pair):
        # One gather a batch costs far less than batching single images.
        batch = tf.cast(tf.gather(images, index), tf.float32)
        if augment:
            batch = vary(batch, seed_pair)
        return batch / pixel_scale, tf.gather(targets, index)

    order = tf.data.Dataset.range(count).shuffle(count, seed=seed).batch(batch_size)
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
    batches = tf.data.Dataset.zip(order, seeds)
    return batches.map(batch_of, num_parallel_calls=2).prefetch(8)
