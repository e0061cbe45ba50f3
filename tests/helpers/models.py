"""Models as people build them, one function each; small and seeded."""

import numpy as np

from helpers.networks import (
    nested,
    quantised,
    tiny,
)


def functional(keras):
    return tiny(keras)


def sequential(keras):
    layers = keras.layers
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((16, 12, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )


def sequential_in_sequential(keras):
    return keras.Sequential([keras.Input((16, 12, 3)), sequential(keras)])


def subclassed(keras):
    import tensorflow as tf

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = keras.layers.Conv2D(5, 3, name="conv")
            self.dense = keras.layers.Dense(3, name="dense")

        def call(self, x):
            return tf.nn.softmax(self.dense(tf.reduce_mean(tf.nn.relu(self.conv(x)), [1, 2])))

    keras.utils.set_random_seed(3)
    model = Own()
    model(np.zeros((1, 16, 12, 3), np.float32))
    return model


def binary(keras):
    return tiny(keras, "sigmoid", classes=1)


def logits(keras):
    return tiny(keras, None)


def multilabel(keras):
    return tiny(keras, "sigmoid", classes=3)


def one_channel(keras):
    return tiny(keras, channels=1)


def free_size(keras):
    return tiny(keras, size=(None, None))


def fixed_batch(keras):
    inputs = keras.Input(batch_shape=(2, 16, 12, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def several_outputs(keras):
    base = tiny(keras)
    other = keras.layers.Dense(2, activation="softmax", name="other")(base.get_layer("gap").output)
    return keras.Model(base.inputs, [base.output, other])


def dict_outputs(keras):
    base = tiny(keras)
    other = keras.layers.Dense(2, activation="softmax", name="other")(base.get_layer("gap").output)
    return keras.Model(base.inputs, {"main": base.output, "other": other})


def dict_input(keras):
    base = tiny(keras)
    inputs = keras.Input((16, 12, 3), name="picture")
    return keras.Model({"picture": inputs}, base(inputs))


def segmentation(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(3, 1, activation="softmax", name="map")(x))


def mixed_precision(keras):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return tiny(keras)
    finally:
        keras.config.set_dtype_policy(before)


def double_precision(keras):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        return tiny(keras, dtype="float64")
    finally:
        keras.config.set_dtype_policy(before)


def regularised(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, activity_regularizer="l2", name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def time_distributed(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.TimeDistributed(keras.layers.Conv1D(2, 3))(x)
    x = keras.layers.Lambda(lambda t: t * 2.0)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def transformer_like(keras):
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 4, strides=4, name="patches")(inputs)
    x = layers.Reshape((16, 8))(x)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def nested_two_deep(keras):
    inputs = keras.Input((16, 12, 3))
    inner = nested(keras)
    inner.name = "middle"
    x = keras.layers.Reshape((1, 2))(inner(inputs))
    return keras.Model(inputs, keras.layers.Flatten()(x), name="outer")


def preprocessing_inside(keras):
    layers = keras.layers
    norm = layers.Normalization(mean=[100.0, 110.0, 120.0], variance=[50.0, 60.0, 70.0])
    augmented = [layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomContrast(0.3)]
    parts = [layers.Resizing(20, 18), layers.CenterCrop(16, 12), *augmented, norm]
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input((16, 12, 3)), *parts, tiny(keras)])


def half_precision(keras):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float16")
    try:
        inputs = keras.Input((16, 12, 3), dtype="float16")
        x = keras.layers.Rescaling(1 / 255)(inputs)
        base = tiny(keras, dtype="float16")
        return keras.Model(inputs, base(x))
    finally:
        keras.config.set_dtype_policy(before)


def quantised_to_four_bits(keras):
    return quantised(keras, "int4")


def recurrent_head(keras):
    keras.utils.set_random_seed(6)
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(inputs)
    x = keras.layers.Reshape((16, 48))(x)
    x = keras.layers.Bidirectional(keras.layers.GRU(5))(
        keras.layers.LSTM(6, return_sequences=True)(x)
    )
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def dict_with_a_list(keras):
    base = tiny(keras)
    gap = base.get_layer("gap").output
    heads = [keras.layers.Dense(n, activation="softmax", name=f"head{n}")(gap) for n in (2, 3)]
    return keras.Model(base.inputs, {"main": base.output, "more": heads})


def byte_input(keras):
    inputs = keras.Input((16, 12, 3), dtype="uint8")
    return keras.Model(inputs, tiny(keras)(keras.layers.Rescaling(1 / 255)(inputs)))


def named_oddly(keras):
    inputs = keras.Input((16, 12, 3), name="the picture")
    x = keras.layers.Conv2D(4, 3, name="a.b>c-d_1", activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="_gap_")(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="9")(x))


def equal_names(keras):
    def part(filters):
        inputs = keras.Input((16, 12, filters - 1))
        x = keras.layers.Conv2D(filters, 3, padding="same", name="conv", activation="relu")(inputs)
        return keras.Model(inputs, x, name=f"part{filters}")

    keras.utils.set_random_seed(7)
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.GlobalAveragePooling2D()(part(5)(part(4)(inputs)))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="conv")(x))


def training_branches(keras):
    class Jitter(keras.layers.Layer):
        def call(self, x, training=None):
            return x + keras.random.normal(keras.ops.shape(x)) if training else x

    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, name="conv", activation="relu")(Jitter()(inputs))
    x = keras.layers.GaussianNoise(0.5)(keras.layers.SpatialDropout2D(0.5)(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def frozen(keras):
    model = nested(keras)
    model.trainable = False
    return model


def vision_transformer(keras):
    layers = keras.layers
    keras.utils.set_random_seed(8)
    inputs = keras.Input((16, 16, 3))
    x = layers.Reshape((4, 4, 4, 4, 3))(inputs)
    x = layers.Reshape((16, 48))(layers.Permute((1, 3, 2, 4, 5))(x))
    x = layers.Dense(8)(x)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x[:, 0]))


def dense_only(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Dense(6, activation="relu")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def u_net(keras):
    layers = keras.layers
    keras.utils.set_random_seed(9)
    inputs = keras.Input((16, 12, 3))
    down = layers.Conv2D(4, 3, padding="same", activation="relu", name="down")(inputs)
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="deep")(down)
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu", name="up")(x)
    x = layers.Concatenate()([x, layers.UpSampling2D()(layers.MaxPooling2D()(down))])
    return keras.Model(inputs, layers.Conv2D(3, 1, activation="softmax", name="map")(x))


def wrapped(keras):
    layers = keras.layers
    keras.utils.set_random_seed(10)
    inputs = keras.Input((16, 12, 3))
    x = layers.SpectralNormalization(layers.Conv2D(4, 3, activation="relu", name="conv"))(inputs)
    x = layers.SeparableConv2D(4, 3, activation="gelu")(layers.GroupNormalization(2)(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


def call_compiled_by_its_owner(keras):
    import tensorflow as tf

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = keras.layers.Conv2D(5, 3, name="conv")
            self.dense = keras.layers.Dense(3, activation="softmax", name="dense")

        @tf.function
        def call(self, x):
            return self.dense(tf.reduce_mean(tf.nn.relu(self.conv(x)), [1, 2]))

    keras.utils.set_random_seed(11)
    model = Own()
    model(np.zeros((1, 16, 12, 3), np.float32))
    return model


def swish(keras):
    """TensorFlow's own swish brings a gradient of its own along, as EfficientNets do."""
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, activation="silu", name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def jit_compiled(keras):
    model = tiny(keras)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=True)
    return model
