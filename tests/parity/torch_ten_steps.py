"""AdaptSegNet's training loop in PyTorch, with Seg-Uncertainty's divergence, on the compact network."""

import torch
from torch.nn import functional as F

LEVELS = ("primary", "auxiliary")
SHORT = {"primary": "p", "auxiliary": "a"}
CRITERIA = {"bce": F.binary_cross_entropy_with_logits, "least_squares": F.mse_loss}


class Compact(torch.nn.Module):
    """The head deeplab_v2 on the backbone compact, one block a stage: the same layers under the same names."""

    def __init__(self, classes, width, groups, rates):
        super().__init__()
        self.groups_of_norm, self.rates = groups, rates
        self.add_conv_norm("conv1", 3, width, 3, stride=2)
        before = width
        stages = zip((1, 2, 4, 4), (1, 2, 1, 1), (1, 1, 2, 4), strict=True)
        for stage, (factor, stride, dilation) in enumerate(stages, start=1):
            name, channels = f"layer{stage}_0", factor * width
            if stride != 1 or before != channels:
                self.add_conv_norm(f"{name}_downsample", before, channels, 1, stride)
            self.add_conv_norm(f"{name}_conv1", before, channels, 3, stride, dilation)
            self.add_conv_norm(f"{name}_conv2", channels, channels, 3, 1, dilation)
            before = channels
        for level in LEVELS:
            for index, rate in enumerate(rates):
                branch = torch.nn.Conv2d(before, classes, 3, padding=rate, dilation=rate)
                self.add_module(f"{level}_classifier_{index}", branch)

    def add_conv_norm(self, name, inputs, outputs, size, stride=1, dilation=1):
        padding = dilation * (size - 1) // 2
        conv = torch.nn.Conv2d(inputs, outputs, size, stride, padding, dilation, bias=False)
        self.add_module(name, conv)
        self.add_module(f"{name}_norm", torch.nn.GroupNorm(self.groups_of_norm, outputs))

    def conv_norm(self, x, name):
        return self.get_submodule(f"{name}_norm")(self.get_submodule(name)(x))

    def forward(self, images):
        """RGB 0..255 [B, 3, H, W] to both classifiers' logits at that size, (primary, auxiliary)."""
        x = F.relu(self.conv_norm(images / 64 - 2, "conv1"))
        x = F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        stages = []
        for stage in range(1, 5):
            name = f"layer{stage}_0"
            projects = hasattr(self, f"{name}_downsample")
            shortcut = self.conv_norm(x, f"{name}_downsample") if projects else x
            x = F.relu(self.conv_norm(x, f"{name}_conv1"))
            x = F.relu(self.conv_norm(x, f"{name}_conv2") + shortcut)
            stages.append(x)
        outputs = []
        for level, features in zip(LEVELS, (stages[3], stages[2]), strict=True):
            branches = [self.get_submodule(f"{level}_classifier_{i}")(features) for i in range(len(self.rates))]
            outputs.append(F.interpolate(sum(branches), images.shape[2:], mode="bilinear", align_corners=True))
        return outputs

    def groups(self, rate):
        """AdaptSegNet's optim_parameters: the classifiers learn ten times faster."""
        classifiers = [p for name, p in self.named_parameters() if "classifier" in name]
        backbone = [p for name, p in self.named_parameters() if "classifier" not in name]
        return [{"params": backbone, "lr": rate}, {"params": classifiers, "lr": 10 * rate}]


class Discriminator(torch.nn.Sequential):
    """AdaptSegNet's FCDiscriminator."""

    def __init__(self, classes, width):
        super().__init__()
        channels = (classes, width, 2 * width, 4 * width, 8 * width, 1)
        for index in range(5):
            name = f"conv{index + 1}" if index < 4 else "classifier"
            self.add_module(name, torch.nn.Conv2d(channels[index], channels[index + 1], 4, 2, 1))
            if index < 4:
                self.add_module(f"{name}_lrelu", torch.nn.LeakyReLU(0.2))


def train(segmenter, discriminator, start, section, weights, kl_from, batches):
    """Trains on the batches, a step each.

    Args:
      segmenter, discriminator: arguments of the classes above.
      start: parameters by name, of the segmenter and of the discriminator of each level.
      section: keys of the config's section.
      weights: of the terms by name.
      kl_from: step from which L_kl counts.
      batches: {"source", "label", "target"}, NHWC.

    Returns:
      What each step logs, and the parameters afterwards as in `start`.
    """
    twin = Compact(**segmenter)
    judges = [Discriminator(**discriminator) for _ in LEVELS]
    for network, state in zip((twin, *judges), start, strict=True):
        # strict: every parameter, and none besides
        network.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    sgd = torch.optim.SGD(
        twin.groups(section["learning_rate"]), momentum=section["momentum"], weight_decay=section["weight_decay"]
    )
    rate = section["discriminator_learning_rate"]
    adams = [torch.optim.Adam(judge.parameters(), lr=rate, betas=(0.9, 0.99)) for judge in judges]
    logs = []
    for step, batch in enumerate(batches):
        decay = (1 - step / section["decay_steps"]) ** section["poly_power"]
        sgd.param_groups[0]["lr"] = section["learning_rate"] * decay
        sgd.param_groups[1]["lr"] = section["learning_rate"] * decay * 10
        for adam in adams:
            adam.param_groups[0]["lr"] = rate * decay
        on = weights | {"L_kl": weights["L_kl"] * (step >= kl_from)}
        logs.append(_step(twin, judges, sgd, adams, CRITERIA[section["adversarial_loss"]], on, batch))
    return logs, [_state(network) for network in (twin, *judges)]


def _step(twin, judges, sgd, adams, criterion, weights, batch):
    for optimizer in (sgd, *adams):
        optimizer.zero_grad()
    images = [torch.tensor(batch[k]).permute(0, 3, 1, 2) for k in ("source", "target")]
    labels, terms = torch.tensor(batch["label"]).long(), {}

    # The segmenter, first on source, then on target; the discriminators stand still.
    for judge in judges:
        judge.requires_grad_(False)
    source = twin(images[0])
    for level, logits in zip(LEVELS, source, strict=True):
        terms[f"L_seg_{SHORT[level]}"] = F.cross_entropy(logits, labels, ignore_index=255)
    sum(weights[name] * term for name, term in terms.items()).backward()
    target = twin(images[1])
    adversarial = {}
    for level, logits, judge in zip(LEVELS, target, judges, strict=True):
        scores = judge(F.softmax(logits, 1))
        adversarial[f"L_adv_{SHORT[level]}"] = criterion(scores, torch.zeros_like(scores))
    primary, auxiliary = (F.log_softmax(logits, 1) for logits in target)
    adversarial["L_kl"] = -(auxiliary.exp() * primary + primary.exp() * auxiliary).sum(1).mean()
    sum(weights[name] * term for name, term in adversarial.items()).backward()

    # The discriminators, on what the same forward passes gave.
    for level, judge, of_source, of_target in zip(LEVELS, judges, source, target, strict=True):
        judge.requires_grad_(True)
        halves = []
        for domain, logits in enumerate((of_source, of_target)):
            scores = judge(F.softmax(logits.detach(), 1))
            halves.append(criterion(scores, torch.full_like(scores, domain)) / 2)
            halves[-1].backward()
        terms[f"L_D_{SHORT[level]}"] = halves[0] + halves[1]
    for optimizer in (sgd, *adams):
        optimizer.step()
    return {name: float(term.detach()) for name, term in (terms | adversarial).items()}


def _state(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}
