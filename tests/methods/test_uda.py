import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf import inference
from udas_tf.losses import adversarial
from udas_tf.losses.adversarial import SOURCE, TARGET
from udas_tf.losses.entropy import entropy, self_information
from udas_tf.losses.segmentation import cross_entropy, memory_regularization, symmetric_divergence
from udas_tf.methods.uda import OutputAdaptation
from udas_tf.models import discriminators
from udas_tf.training import optimizers
from udas_tf.training.optimizers import SegmenterSGD

SIZE, CLASSES = (32, 64), 3
WEIGHTS = {"L_seg_p": 1.0, "L_seg_a": 0.1, "L_adv_p": 0.5, "L_adv_a": 0.2, "L_kl": 0.1}
TERMS = {*WEIGHTS, "L_D_p", "L_D_a", "D_accuracy_p", "D_accuracy_a"}


def small_segmenter():
    """Both classifiers at a quarter of the size, on features of their own stage."""
    images = keras.Input((None, None, 3), dtype="float32")
    x = keras.layers.Rescaling(1 / 64, offset=-2.0)(images)
    x = keras.layers.Conv2D(4, 4, 4, activation="relu", name="first")(x)
    outputs = {}
    for level in ("auxiliary", "primary"):
        logits = keras.layers.Conv2D(CLASSES, 1, name=f"{level}_classifier_0")(x)
        outputs[level] = keras.layers.Activation("linear", dtype="float32", name=level)(logits)
        if level == "auxiliary":
            x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="second")(x)
    return keras.Model(images, outputs)


def method(rate=0.1, discriminator_rate=0.1, weights=None, kind="bce", kl_from_step=0, build=None):
    """Plain SGD everywhere, so that an update is the gradient."""
    keras.utils.set_random_seed(0)
    segmenter = small_segmenter()
    build = build or (lambda: discriminators.fully_convolutional(CLASSES, width=2))
    judges = {level: build() for level in ("primary", "auxiliary")}
    variables = [v for judge in judges.values() for v in judge.trainable_variables]
    return OutputAdaptation(
        segmenter,
        judges,
        optimizers.built(SegmenterSGD(rate, 0.9, 0.0, {}), segmenter.trainable_variables),
        optimizers.built(keras.optimizers.SGD(discriminator_rate), variables),
        WEIGHTS | (weights or {}),
        kind,
        kl_from_step,
    )


def make_batch(seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, (2, *SIZE)).astype(np.uint8)
    labels[:, :5] = 255
    images = rng.uniform(0, 255, (2, 2, *SIZE, 3)).astype(np.float32)
    return {
        "source": {"image": tf.constant(images[0]), "label": tf.constant(labels)},
        "target": {"image": tf.constant(images[1])},
    }


@pytest.fixture(scope="module")
def batch():
    return make_batch()


def values(networks):
    return [[v.numpy() for v in network.trainable_variables] for network in networks]


def updates(before, networks):
    return [
        [old - v.numpy() for old, v in zip(part, network.trainable_variables, strict=True)]
        for part, network in zip(before, networks, strict=True)
    ]


def assert_close(first, second, **tolerance):
    for one, other in zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True):
        np.testing.assert_allclose(one, other, **({"rtol": 1e-3, "atol": 1e-7} | tolerance))


def separate_terms(method, batch, kind="bce"):
    """The terms of docs/equations.md section 2, source and target each passed through the network by itself."""
    source = inference.logits(method.segmenter, batch["source"]["image"], training=True)
    target = inference.logits(method.segmenter, batch["target"]["image"], training=True)
    terms = {"L_kl": symmetric_divergence(target["primary"], target["auxiliary"])}
    for level, short in (("primary", "p"), ("auxiliary", "a")):
        judge = method.discriminators[level]
        of_source, of_target = (judge(tf.nn.softmax(logits[level])) for logits in (source, target))
        terms[f"L_seg_{short}"] = cross_entropy(batch["source"]["label"], source[level])
        terms[f"L_adv_{short}"] = adversarial.adversarial(of_target, SOURCE, kind)
        terms[f"L_D_{short}"] = 0.5 * (
            adversarial.adversarial(of_source, SOURCE, kind) + adversarial.adversarial(of_target, TARGET, kind)
        )
        terms[f"D_accuracy_{short}"] = adversarial.accuracy(of_source, of_target, kind)
    return terms


@pytest.mark.parametrize("kind", ["bce", "least_squares"])
def test_terms_have_the_papers_names_and_are_logged_unweighted(batch, kind):
    trained = method(kind=kind)
    expected = separate_terms(trained, batch, kind)
    logs = trained.train_step(batch)
    assert set(logs) == TERMS == {metric.name for metric in trained.metrics}
    for name in TERMS:
        np.testing.assert_allclose(logs[name], expected[name], rtol=1e-4, err_msg=name)


def test_the_segmenter_follows_the_weighted_sum_and_nothing_else(batch):
    trained = method(discriminator_rate=0.0)
    networks = [trained.segmenter, *trained.discriminators.values()]
    before = values(networks)
    with tf.GradientTape() as tape:
        terms = separate_terms(trained, batch)
        loss = tf.add_n([weight * terms[name] for name, weight in WEIGHTS.items()])
    gradients = tape.gradient(loss, [v.value for v in trained.segmenter.trainable_variables])
    trained.train_step(batch)
    segmenter, *judges = updates(before, networks)
    assert_close(segmenter, [0.1 * gradient for gradient in gradients])
    assert all(np.any(update != 0) for update in segmenter)
    assert all(np.all(update == 0) for update in tf.nest.flatten(judges))


def test_each_discriminator_follows_its_own_loss_and_moves_no_segmenter(batch):
    trained = method(rate=0.0)
    networks = [trained.segmenter, *trained.discriminators.values()]
    before = values(networks)
    with tf.GradientTape(persistent=True) as tape:
        terms = separate_terms(trained, batch)
    expected = [
        [
            0.1 * g
            for g in tape.gradient(terms[name], [v.value for v in trained.discriminators[level].trainable_variables])
        ]
        for level, name in (("primary", "L_D_p"), ("auxiliary", "L_D_a"))
    ]
    trained.train_step(batch)
    segmenter, *judges = updates(before, networks)
    assert all(np.all(update == 0) for update in segmenter)
    assert_close(judges, expected)
    assert all(np.any(update != 0) for update in tf.nest.flatten(judges))


def test_discriminators_are_judged_before_either_network_moves(batch):
    """Both gradients are of the state before the step, as in the gradients taken apart above."""
    both, judges_only = method(), method(rate=0.0)
    before = values(both.discriminators.values())
    both.train_step(batch)
    judges_only.train_step(batch)
    assert_close(
        updates(before, both.discriminators.values()),
        updates(before, judges_only.discriminators.values()),
        rtol=1e-5,
    )


def test_divergence_has_no_weight_before_its_step(batch):
    late, never, always = method(kl_from_step=1), method(weights={"L_kl": 0.0}), method()
    assert float(late.current_weights()["L_kl"]) == 0.0
    for trained in (late, never, always):
        logs = trained.train_step(batch)
        assert float(logs["L_kl"]) > 0.0, "logged from the beginning"
    assert_close(values([late.segmenter]), values([never.segmenter]), rtol=0, atol=0)
    pairs = zip(always.segmenter.trainable_variables, never.segmenter.trainable_variables, strict=True)
    assert max(np.abs(one.numpy() - other.numpy()).max() for one, other in pairs) > 1e-4
    np.testing.assert_allclose(late.current_weights()["L_kl"], 0.1)
    assert late.current_weights() | {"L_kl": 0.1} == WEIGHTS
    late.train_step(batch)
    never.train_step(batch)
    assert np.any(late.segmenter.get_layer("first").kernel.numpy() != never.segmenter.get_layer("first").kernel.numpy())


def test_target_images_matter_only_through_the_adversarial_and_divergence_terms(batch):
    unweighted = {"L_adv_p": 0.0, "L_adv_a": 0.0, "L_kl": 0.0}
    one, other = method(weights=unweighted), method(weights=unweighted)
    one.train_step(batch)
    other.train_step(batch | {"target": make_batch(9)["target"]})
    assert_close(values([one.segmenter]), values([other.segmenter]), rtol=1e-4)


def test_an_ignored_source_leaves_the_segmentation_terms_at_zero(batch):
    ignored = {"image": batch["source"]["image"], "label": tf.fill([2, *SIZE], tf.constant(255, tf.uint8))}
    trained = method(weights={"L_adv_p": 0.0, "L_adv_a": 0.0, "L_kl": 0.0})
    before = values([trained.segmenter])
    logs = trained.train_step(batch | {"source": ignored})
    assert float(logs["L_seg_p"]) == float(logs["L_seg_a"]) == 0.0
    assert all(np.all(update == 0) for update in updates(before, [trained.segmenter])[0])


def test_several_scales_and_least_squares_train(batch):
    trained = method(kind="least_squares", build=lambda: discriminators.multi_scale(CLASSES, width=2, scales=2))
    for _ in range(2):
        logs = trained.train_step(batch)
    assert all(np.isfinite(float(value)) for value in logs.values())


def test_a_discriminator_learns_to_tell_the_domains_apart(batch):
    trained = method(rate=0.0, discriminator_rate=0.5)
    target = tf.where(tf.range(SIZE[1])[:, tf.newaxis] < 40, batch["target"]["image"], 0.0)
    step = tf.function(trained.train_step, autograph=False)
    first = {name: float(value) for name, value in step(batch | {"target": {"image": target}}).items()}
    for _ in range(60):
        trained.reset_metrics()
        logs = step(batch | {"target": {"image": target}})
    assert float(logs["L_D_p"]) < first["L_D_p"] and float(logs["L_D_a"]) < first["L_D_a"]


def test_each_float16_optimiser_scales_its_own_loss(batch):
    reference = method()
    networks = [reference.segmenter, *reference.discriminators.values()]
    before = values(networks)
    reference.train_step(batch)
    expected = updates(before, networks)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        scaled = method()
    finally:
        keras.config.set_dtype_policy(policy)
    assert scaled.segmenter.get_layer("first").compute_dtype == "float16"
    # Were one scale used for both losses, one of the updates would be wrong by a factor of 16.
    scaled.optimizer.dynamic_scale.assign(2.0**6)
    scaled.discriminator_optimizer.dynamic_scale.assign(2.0**10)
    networks = [scaled.segmenter, *scaled.discriminators.values()]
    assert_close(values(networks), before, rtol=0, atol=0)
    scaled.train_step(batch)
    for optimizer, scale in ((scaled.optimizer, 2.0**6), (scaled.discriminator_optimizer, 2.0**10)):
        assert int(optimizer.iterations) == 1
        assert float(optimizer.dynamic_scale) == scale
    for found, wanted in zip(updates(before, networks), expected, strict=True):
        found, wanted = (np.concatenate([update.ravel() for update in side]) for side in (found, wanted))
        assert np.all(np.isfinite(found))
        assert np.linalg.norm(found - wanted) < 0.1 * np.linalg.norm(wanted)
    assert keras.config.dtype_policy().name == policy.name


def test_a_float16_overflow_of_one_network_leaves_the_other_learning(batch):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        scaled = method()
    finally:
        keras.config.set_dtype_policy(policy)
    scaled.optimizer.dynamic_scale.assign(2.0**40)
    scaled.discriminator_optimizer.dynamic_scale.assign(2.0**10)
    before = values([scaled.segmenter])
    scaled.train_step(batch)
    assert float(scaled.optimizer.dynamic_scale) == 2.0**39
    assert all(np.all(update == 0) for update in updates(before, [scaled.segmenter])[0])
    assert int(scaled.discriminator_optimizer.iterations) == 1


def test_one_level(batch):
    """Single-level AdaptSegNet is the two levels' method with no weight on what concerns the auxiliary one."""
    both = method(weights={"L_seg_a": 0.0, "L_adv_a": 0.0, "L_kl": 0.0})
    keras.utils.set_random_seed(0)
    segmenter = small_segmenter()
    segmenter = keras.Model(segmenter.input, {"primary": segmenter.output["primary"]})
    judge = discriminators.fully_convolutional(CLASSES, width=2)
    one = OutputAdaptation(
        segmenter,
        {"primary": judge},
        optimizers.built(SegmenterSGD(0.1, 0.9, 0.0, {}), segmenter.trainable_variables),
        optimizers.built(keras.optimizers.SGD(0.1), judge.trainable_variables),
        {name: WEIGHTS[name] for name in ("L_seg_p", "L_adv_p")},
        "bce",
        0,
    )
    judge.set_weights(both.discriminators["primary"].get_weights())
    for _ in range(2):
        one.reset_metrics(), both.reset_metrics()
        logs, expected = one.train_step(batch), both.train_step(batch)
        assert set(logs) == {"L_seg_p", "L_adv_p", "L_D_p", "D_accuracy_p"}
        for name, value in logs.items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-4, err_msg=name)


# --- the choices of other systems ---------------------------------------------------------------------------


def adapted(judges, weights, **choices):
    """A method with these discriminators and terms alone."""
    keras.utils.set_random_seed(0)
    segmenter = small_segmenter()
    variables = [v for judge in judges.values() for v in judge.trainable_variables]
    return OutputAdaptation(
        segmenter,
        judges,
        optimizers.built(SegmenterSGD(0.1, 0.9, 0.0, {}), segmenter.trainable_variables),
        optimizers.built(keras.optimizers.SGD(0.1), variables) if judges else None,
        weights,
        "bce",
        0,
        **choices,
    )


def test_minent_has_neither_adversary_nor_its_work(batch):
    weights = {"L_seg_p": 1.0, "L_seg_a": 0.1, "L_ent_p": 0.3, "L_ent_a": 0.2}
    trained = adapted({}, weights)
    before = values([trained.segmenter])
    with tf.GradientTape() as tape:
        source, target = (
            inference.logits(trained.segmenter, batch[domain]["image"]) for domain in ("source", "target")
        )
        labels = batch["source"]["label"]
        expected = {
            "L_seg_p": cross_entropy(labels, source["primary"]),
            "L_seg_a": cross_entropy(labels, source["auxiliary"]),
            "L_ent_p": entropy(target["primary"]),
            "L_ent_a": entropy(target["auxiliary"]),
        }
        loss = tf.add_n([weight * expected[name] for name, weight in weights.items()])
    gradients = tape.gradient(loss, [v.value for v in trained.segmenter.trainable_variables])
    logs = trained.train_step(batch)
    assert set(logs) == set(weights)
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-4, err_msg=name)
    assert_close(updates(before, [trained.segmenter])[0], [0.1 * gradient for gradient in gradients])


def test_advents_discriminators_see_self_information(batch):
    judges = {"primary": discriminators.fully_convolutional(CLASSES, width=2)}
    trained = adapted(judges, {"L_seg_p": 1.0, "L_adv_p": 0.5}, discriminator_input="self_information")
    source, target = (inference.logits(trained.segmenter, batch[domain]["image"]) for domain in ("source", "target"))
    of_source, of_target = (judges["primary"](self_information(x["primary"])) for x in (source, target))
    expected = {
        "L_adv_p": adversarial.adversarial(of_target, SOURCE, "bce"),
        "L_D_p": adversarial.discriminator(of_source, of_target, "bce"),
    }
    logs = trained.train_step(batch)
    assert set(logs) == {"L_seg_p", "L_adv_p", "L_D_p", "D_accuracy_p"}
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-4, err_msg=name)


def test_one_of_two_levels_may_be_judged(batch):
    """The classifier that is not judged is trained all the same."""
    judges = {"primary": discriminators.fully_convolutional(CLASSES, width=2)}
    trained = adapted(judges, {"L_seg_p": 1.0, "L_seg_a": 0.1, "L_adv_p": 0.5})
    auxiliary = trained.segmenter.get_layer("auxiliary_classifier_0").kernel.numpy()
    assert set(trained.train_step(batch)) == {"L_seg_p", "L_seg_a", "L_adv_p", "L_D_p", "D_accuracy_p"}
    assert np.any(trained.segmenter.get_layer("auxiliary_classifier_0").kernel.numpy() != auxiliary)


def test_features_are_those_before_the_classifier_which_the_adversary_leaves_alone(batch):
    judge = discriminators.pixelwise(4, width=8, dropout=0.0)
    trained = adapted({"primary": judge}, {"L_adv_p": 1.0}, discriminator_input="features")
    before = {layer: trained.segmenter.get_layer(layer).kernel.numpy() for layer in ("first", "second")}
    classifier = trained.segmenter.get_layer("primary_classifier_0")
    kernel = classifier.kernel.numpy()
    features = keras.Model(trained.segmenter.input, classifier.input)(batch["target"]["image"])
    assert features.shape == (2, 8, 16, 4)
    expected = adversarial.adversarial(judge(features), SOURCE, "bce")
    logs = trained.train_step(batch)
    np.testing.assert_allclose(logs["L_adv_p"], expected, rtol=1e-4)
    np.testing.assert_array_equal(classifier.kernel.numpy(), kernel)
    for layer, old in before.items():
        assert np.any(trained.segmenter.get_layer(layer).kernel.numpy() != old), layer
    assert set(trained.segmenter.output) == {"primary", "auxiliary"}, "the network that is saved stays as it was"


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_both_classifiers_towards_their_mean(batch):
    trained = adapted({}, {"L_kl": 1.0}, kl="memory")
    target = inference.logits(trained.segmenter, batch["target"]["image"])
    expected = memory_regularization(target["primary"], target["auxiliary"])
    np.testing.assert_allclose(trained.train_step(batch)["L_kl"], expected, rtol=1e-4)


def test_the_adversary_waits_for_discriminators_that_tell_the_domains_apart(batch):
    judges = {"primary": discriminators.fully_convolutional(CLASSES, width=2)}
    trained = adapted(judges, {"L_seg_p": 1.0, "L_adv_p": 0.5}, above_accuracy=0.6)
    assert {name: float(w) for name, w in trained.current_weights().items()} == {
        "L_seg_p": 1.0,
        "L_adv_p": 0.0,
    }
    accuracies = []
    for _ in range(3):
        trained.reset_metrics()
        accuracies.append(float(trained.train_step(batch)["D_accuracy_p"]))
        np.testing.assert_allclose(trained.followed_accuracy, np.mean(accuracies), rtol=1e-5)
    trained.followed_accuracy.assign(0.61)
    np.testing.assert_allclose(trained.current_weights()["L_adv_p"], 0.5)
    trained.step.assign(1_000)  # by now a step counts for a hundredth
    trained._follow([tf.constant(1.0), tf.constant(0.0)])
    np.testing.assert_allclose(trained.followed_accuracy, 0.61 + 0.01 * (0.5 - 0.61), rtol=1e-5)
