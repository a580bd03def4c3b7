import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf.methods.translate import ImagePool, ImageTranslation
from udas_tf.models import discriminators, generators
from udas_tf.models.discriminators import Discriminator
from udas_tf.training import optimizers

SIZE = (8, 12)
SHIFT, SCORE, RATE = 51.0, 0.25, 0.01


def shifting_generator(shift):
    """x + shift, as a 1x1 convolution whose kernel and bias can be trained."""
    images = keras.Input((None, None, 3))
    convolution = keras.layers.Conv2D(3, 1, name="convolution")
    model = keras.Model(images, convolution(images))
    convolution.set_weights([np.eye(3)[np.newaxis, np.newaxis], np.full(3, shift)])
    return model


def constant_discriminator(score):
    """Gives every pixel one score whatever it shows."""
    images = keras.Input((None, None, 3))
    convolution = keras.layers.Conv2D(1, 1, name="convolution")
    model = Discriminator(images, [convolution(images)])
    convolution.set_weights([np.zeros((1, 1, 3, 1)), np.full(1, score)])
    return model


def method(
    networks=None,
    rate=RATE,
    discriminator_rate=RATE,
    weight_identity=5.0,
    capacity=0,
    make=keras.optimizers.SGD,
):
    """G adds 51, F changes nothing, both discriminators say 0.25; or the networks given."""
    makers, judges = networks or (
        {"G": shifting_generator(SHIFT), "F": shifting_generator(0.0)},
        {domain: constant_discriminator(SCORE) for domain in ("source", "target")},
    )
    built = [
        optimizers.built(make(r), [v for network in pair.values() for v in network.trainable_variables])
        for pair, r in ((makers, rate), (judges, discriminator_rate))
    ]
    pools = {domain: ImagePool(capacity, (*SIZE, 3), seed=number) for number, domain in enumerate(judges)}
    return ImageTranslation(makers, judges, *built, pools, 10.0, weight_identity)


def real_networks():
    keras.utils.set_random_seed(0)
    makers = {name: generators.resnet_generator(width=2, blocks=1) for name in ("G", "F")}
    judges = {domain: discriminators.patch_gan(width=2, num_layers=1) for domain in ("source", "target")}
    return makers, judges


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return {
        domain: tf.constant(rng.uniform(0, 200, (1, *SIZE, 3)).astype(np.float32)) for domain in ("source", "target")
    }


def values(networks):
    return [v.numpy() for network in networks.values() for v in network.trainable_variables]


# --- the whole step, by hand --------------------------------------------------------------------------------


def test_terms_by_hand(batch):
    # L_GAN: (0.25 - 1)^2 = 0.5625 for both generators. L_cyc: F(G(s)) = s + 51 and G(F(t)) = t + 51, each
    # 51 / 127.5 = 0.4 away: 0.8. L_identity: G(t) is 0.4 from t, F(s) is s: 0.4.
    # L_D: ((0.25 - 1)^2 + 0.25^2) / 2 = (0.5625 + 0.0625) / 2 = 0.3125.
    trained = method()
    logs = {name: float(value) for name, value in trained.train_step(batch).items()}
    expected = {"L_GAN_G": 0.5625, "L_GAN_F": 0.5625, "L_cyc": 0.8, "L_identity": 0.4}
    expected |= {"L_D_source": 0.3125, "L_D_target": 0.3125}
    assert set(logs) == set(expected) == {metric.name for metric in trained.metrics}
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-4, err_msg=name)


def test_updates_by_hand(batch):
    # A bias moves one of three channels, and a reconstruction's slope is 1 / (3 * 127.5) = 1 / 382.5.
    # G's: both cycles pass it once, weight 10 each, and its identity, weight 5: 25 / 382.5.
    # F's: both cycles, 20 / 382.5; its identity loss is at its least already (slope of |0| is 0).
    # The constant discriminators pass no gradient on. Their own bias: half of 2 (0.25 - 1) + 2 * 0.25 = -0.5.
    trained = method()
    trained.train_step(batch)
    for name, shift, slope in (("G", SHIFT, 25 / 382.5), ("F", 0.0, 20 / 382.5)):
        bias = trained.generators[name].get_layer("convolution").bias.numpy()
        np.testing.assert_allclose((shift - bias) / RATE, np.full(3, slope), rtol=2e-2)
    for judge in trained.discriminators.values():
        np.testing.assert_allclose(judge.get_layer("convolution").bias, [SCORE + RATE * 0.5], rtol=1e-5)


def test_weights_of_the_sum():
    assert method().term_weights == {"L_GAN_G": 1.0, "L_GAN_F": 1.0, "L_cyc": 10.0, "L_identity": 5.0}


def test_without_identity_weight_there_is_no_identity_term(batch):
    trained = method(weight_identity=0.0)
    logs = trained.train_step(batch)
    assert "L_identity" not in logs and "L_identity" not in trained.term_weights
    bias = trained.generators["G"].get_layer("convolution").bias.numpy()
    np.testing.assert_allclose((SHIFT - bias) / RATE, np.full(3, 20 / 382.5), rtol=2e-2)


def test_gradients_reach_only_the_networks_they_belong_to(batch):
    for rates, moving, still in (
        ({"discriminator_rate": 0.0}, "generators", "discriminators"),
        ({"rate": 0.0}, "discriminators", "generators"),
    ):
        trained = method(real_networks(), **rates)
        before = {part: values(getattr(trained, part)) for part in (moving, still)}
        trained.train_step(batch)
        for old, new in zip(before[still], values(getattr(trained, still)), strict=True):
            np.testing.assert_array_equal(old, new)
        changed = [
            np.any(old != new) for old, new in zip(before[moving], values(getattr(trained, moving)), strict=True)
        ]
        assert np.mean(changed) > 0.5


def test_discriminators_are_shown_the_pools_images(batch):
    """The discriminator's loss is of what the pool returns, not of the translation."""
    trained = method(
        (
            {"G": shifting_generator(SHIFT), "F": shifting_generator(0.0)},
            {domain: mean_discriminator() for domain in ("source", "target")},
        )
    )
    seen = {}

    class Shown:
        def __init__(self, domain):
            self.domain = domain

        def exchange(self, images, step):
            seen[self.domain] = images.numpy()
            return tf.fill(images.shape, 255.0)

    trained.pools = {domain: Shown(domain) for domain in ("source", "target")}
    logs = trained.train_step(batch)
    np.testing.assert_allclose(seen["target"], batch["source"] + SHIFT, rtol=1e-5)
    np.testing.assert_allclose(seen["source"], batch["target"], rtol=1e-5)
    for domain in ("source", "target"):
        real = (batch[domain].numpy() / 255).mean(-1)
        # Shown white: scores of 1, whose square is 1.
        np.testing.assert_allclose(logs[f"L_D_{domain}"], 0.5 * (((real - 1) ** 2).mean() + 1.0), rtol=1e-4)


def mean_discriminator():
    """Brightness of a pixel, 0..1, as its score."""
    judge = constant_discriminator(0.0)
    judge.get_layer("convolution").set_weights([np.full((1, 1, 3, 1), 1 / 765), np.zeros(1)])
    return judge


def test_a_float16_step_is_finite_and_each_optimiser_scales_its_own_loss(batch):
    reference = method(real_networks())
    before = [values(reference.generators), values(reference.discriminators)]
    reference.train_step(batch)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        scaled = method(real_networks())
    finally:
        keras.config.set_dtype_policy(policy)
    scaled.optimizer.dynamic_scale.assign(2.0**6)
    scaled.discriminator_optimizer.dynamic_scale.assign(2.0**10)
    scaled.train_step(batch)
    for part, old in zip(("generators", "discriminators"), before, strict=True):
        found = [o - n for o, n in zip(old, values(getattr(scaled, part)), strict=True)]
        wanted = [o - n for o, n in zip(old, values(getattr(reference, part)), strict=True)]
        assert all(np.all(np.isfinite(update)) for update in found)
        # Norms of the whole update: a wrong scale would be off by a factor of 16.
        sizes = [np.sqrt(sum((update**2).sum() for update in side)) for side in (found, wanted)]
        np.testing.assert_allclose(*sizes, rtol=0.25)
    assert int(scaled.optimizer.iterations) == int(scaled.discriminator_optimizer.iterations) == 1


def test_a_pool_belongs_to_the_checkpoint(batch, tmp_path):
    trained = method(capacity=2)
    trained.train_step(batch)
    path = tf.train.Checkpoint(method=trained).save(str(tmp_path / "checkpoint"))
    restored = method(capacity=2)
    tf.train.Checkpoint(method=restored).restore(path).assert_existing_objects_matched()
    np.testing.assert_array_equal(restored.pools["target"].images, trained.pools["target"].images)


# --- the pool -----------------------------------------------------------------------------------------------


def numbered(*numbers):
    return tf.stack([tf.fill([2, 3, 3], float(number)) for number in numbers])


def numbers_of(images):
    assert np.all(np.ptp(np.asarray(images), axis=(1, 2, 3)) == 0), "pixels of several images were mixed"
    return np.asarray(images)[:, 0, 0, 0].astype(int).tolist()


def test_a_pool_without_room_returns_images_as_they_are():
    pool = ImagePool(0, (2, 3, 3), seed=0)
    for step in range(5):
        assert numbers_of(pool.exchange(numbered(step + 1, step + 11), tf.constant(step))) == [
            step + 1,
            step + 11,
        ]


def test_while_it_fills_images_are_stored_and_returned():
    pool = ImagePool(4, (2, 3, 3), seed=0)
    for step, pair in enumerate(((1, 2), (3, 4))):
        assert numbers_of(pool.exchange(numbered(*pair), tf.constant(step))) == list(pair)
        assert numbers_of(pool.images)[: 2 * (step + 1)] == list(range(1, 2 * (step + 1) + 1))
    assert numbers_of(pool.images) == [1, 2, 3, 4]


def test_once_full_half_of_the_images_are_swapped_for_a_random_stored_one():
    pool = ImagePool(4, (2, 3, 3), seed=7)
    exchange = tf.function(pool.exchange, autograph=False)
    exchange(numbered(1, 2), tf.constant(0))
    exchange(numbered(3, 4), tf.constant(1))
    stored, swaps, places = [1, 2, 3, 4], 0, []
    for step in range(2, 202):
        new = (2 * step + 1, 2 * step + 2)
        shown = numbers_of(exchange(numbered(*new), tf.constant(step)))
        # The second image of a batch may be swapped for the first.
        for image, returned in zip(new, shown, strict=True):
            if returned != image:
                assert returned in stored, "neither the current image nor a stored one"
                places.append(stored.index(returned))
                stored[places[-1]] = image
                swaps += 1
        assert numbers_of(pool.images) == stored
    # 400 draws of one half: 200 with a deviation of 10. Each place a quarter of these: 50 with one of 6.1.
    assert 160 <= swaps <= 240
    assert all(0.15 * swaps < places.count(place) < 0.35 * swaps for place in range(4))


def test_draws_follow_from_seed_and_step():
    def shown(seed, skipped_steps=0):
        pool = ImagePool(2, (2, 3, 3), seed=seed)
        steps = [0, 1, *range(2 + skipped_steps, 26 + skipped_steps)]  # two fill the pool
        return [
            numbers_of(pool.exchange(numbered(number), tf.constant(step)))[0]
            for number, step in enumerate(steps, start=1)
        ]

    assert shown(1) == shown(1)
    assert shown(1) != shown(2)
    assert shown(1) != shown(1, skipped_steps=100)


# --- semantic consistency -----------------------------------------------------------------------------------


def brightness_segmenter():
    """Class 0 where an image is darker than 100 and class 1 where it is brighter, surer by 1/10 a grey value."""
    images = keras.Input((None, None, 3))
    mean = keras.layers.Conv2D(2, 1, name="convolution")
    logits = keras.layers.Activation("linear", dtype="float32", name="primary")(mean(images))
    model = keras.Model(images, {"primary": logits})
    kernel = np.stack([np.zeros(3), np.full(3, 0.1 / 3)], -1)[np.newaxis, np.newaxis]
    mean.set_weights([kernel, np.array([0.0, -10.0])])
    return model


def test_semantics_by_hand():
    # G adds 51, F nothing. Source at 80: class 0, and at 131 of class 1 by 3.1: log(1 + e^3.1) = 3.144061.
    # Target at 130: class 1, and F leaves it there, by 3: log(1 + e^-3) = 0.048587.
    # d L / d G's bias, one channel of three: sigmoid(3.1) / 30 = 0.957 / 30 = 0.0318964.
    segmenter = brightness_segmenter()
    before = [v.numpy() for v in segmenter.variables]
    makers = {"G": shifting_generator(SHIFT), "F": shifting_generator(0.0)}
    judges = {domain: constant_discriminator(SCORE) for domain in ("source", "target")}
    built = [
        optimizers.built(
            keras.optimizers.SGD(RATE), [v for network in pair.values() for v in network.trainable_variables]
        )
        for pair in (makers, judges)
    ]
    pools = {domain: ImagePool(0, (*SIZE, 3), seed=0) for domain in judges}
    trained = ImageTranslation(makers, judges, *built, pools, 0.0, 0.0, segmenter, 2.0)
    batch = {"source": tf.fill([1, *SIZE, 3], 80.0), "target": tf.fill([1, *SIZE, 3], 130.0)}
    logs = trained.train_step(batch)
    assert trained.term_weights == {"L_GAN_G": 1.0, "L_GAN_F": 1.0, "L_cyc": 0.0, "L_semantic": 2.0}
    np.testing.assert_allclose(logs["L_semantic"], 3.144061 + 0.048587, rtol=1e-4)
    bias = makers["G"].get_layer("convolution").bias.numpy()
    np.testing.assert_allclose((SHIFT - bias) / RATE, np.full(3, 2 * 0.0318964), rtol=2e-2)
    for variable, old in zip(segmenter.variables, before, strict=True):
        np.testing.assert_array_equal(variable, old)
