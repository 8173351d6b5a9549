"""The steps of Himax's tutorial as one plain script, the yardstick for speed.

Repaired only as far as TensorFlow 2.21 requires: the model is saved by `model.export`,
the quantized accuracy is printed after it is computed, and input and output file are
one. Prints the seconds that its test loop took.
"""

import argparse
import os
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--save-model-name", default="mnist_cnn")
    options = parser.parse_args()

    train_data, train_label, test_data, test_label = load()
    draw(train_data, train_label)
    train_data = np.expand_dims(train_data.astype(np.float32) - 128.0, axis=-1)
    test_data = np.expand_dims(test_data.astype(np.float32) - 128.0, axis=-1)

    model = build()
    model.summary()
    model.compile(
        optimizer="adam",
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        train_data,
        train_label,
        epochs=options.epochs,
        batch_size=options.batch_size,
        validation_data=(test_data, test_label),
        verbose=2,
    )
    results = model.evaluate(test_data, test_label, batch_size=128, verbose=2)
    folder = os.path.join("check_point", options.save_model_name)
    model.export(folder)

    path = Path(options.save_model_name + ".tflite")
    path.write_bytes(convert(folder, test_data))

    started = time.perf_counter()
    accuracy = accuracy_of_int8(str(path), test_data, test_label)
    print(f"test loop seconds: {time.perf_counter() - started:.2f}")
    print(f"before quantization: {100 * results[1]:.2f} %")
    print(f"after quantization: {100 * accuracy:.2f} %")


def load():
    path = os.environ.get("MNIST_NPZ")
    if path:
        with np.load(path) as file:
            return file["x_train"], file["y_train"], file["x_test"], file["y_test"]
    train, test = tf.keras.datasets.mnist.load_data()
    (train_data, train_label), (test_data, test_label) = train, test
    return train_data, train_label, test_data, test_label


def draw(images, labels):
    for i in range(3):
        plt.subplot(1, 3, i + 1)
        plt.imshow(images[i], cmap="gray")
        plt.xlabel(labels[i])
    plt.savefig("show_data_image.png")


def build():
    layers = tf.keras.layers
    model = tf.keras.Sequential()
    model.add(tf.keras.Input(shape=(28, 28, 1)))
    model.add(layers.Conv2D(8, [3, 3], padding="valid", activation="relu"))
    model.add(layers.MaxPool2D([2, 2], strides=2))
    model.add(layers.Conv2D(16, [3, 3], padding="valid", activation="relu"))
    model.add(layers.MaxPool2D([2, 2], strides=2))
    model.add(layers.Conv2D(32, [5, 5], padding="valid", activation=None))
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(10))
    return model


def convert(folder, images):
    def representative_data():
        for image in tf.data.Dataset.from_tensor_slices(images).batch(1).take(10000):
            yield [image]

    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative_data
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return converter.convert()


def accuracy_of_int8(path, images, labels):
    interpreter = tf.lite.Interpreter(model_path=path)
    inputs = interpreter.get_input_details()
    outputs = interpreter.get_output_details()
    scale = outputs[0]["quantization_parameters"]["scales"][0]
    zero_point = outputs[0]["quantization_parameters"]["zero_points"][0]
    interpreter.allocate_tensors()
    loader = tf.data.Dataset.from_tensor_slices((images, labels)).batch(batch_size=1)
    accuracy = tf.keras.metrics.SparseCategoricalAccuracy()
    for image, label in loader:
        interpreter.set_tensor(inputs[0]["index"], tf.cast(image, dtype=tf.int8))
        interpreter.invoke()
        output = interpreter.get_tensor(outputs[0]["index"])
        output = (output + (-zero_point)) * scale
        predictions = tf.reshape(output, shape=(output.shape[0], 10))
        accuracy.update_state(y_true=label, y_pred=predictions)
    return float(accuracy.result())


if __name__ == "__main__":
    main()
