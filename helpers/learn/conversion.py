"""Convert a deployed graph to int8, with the settings that notebook 05 explains."""

from helpers.quiet import quiet


def convert(deployed, calibration_i8, pixel_scale=128.0):
    """Quantise a network to int8 and write it as a flatbuffer.

    Parameters
    ----------
    deployed : keras.Model
        What ``helpers.learn.deployed_graph`` builds: a batch size of 1.
    calibration_i8 : ndarray, int8, shape (N, 28, 28, 1)
        Training images, ``pixel - 128``; the ranges of all activations are taken from
        them.
    pixel_scale : float
        The network was trained on ``images_i8 / pixel_scale``.

    Returns
    -------
    bytes
        A ``.tflite`` model, int8 from input to output.
    """
    with quiet():
        import tensorflow as tf

        def representative_dataset():
            for image in calibration_i8:
                yield [(image / pixel_scale)[None].astype("float32")]

        converter = tf.lite.TFLiteConverter.from_keras_model(deployed)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative_dataset
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        # Older TFLM reads one scale for the weights of a dense layer, and no more.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        return converter.convert()
