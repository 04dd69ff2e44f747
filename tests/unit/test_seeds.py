import torch

from tgr import seeds


def test_seed_depends_on_every_name_and_on_their_boundaries() -> None:
    assert seeds.derive("pool", "icons", 7) == seeds.derive("pool", "icons", 7)
    different = [
        seeds.derive(*n) for n in (("pool", "icons", 7), ("pool", "icons", 8), ("pool", "icons7"), ("poolicons", 7))
    ]
    assert len(set(different)) == len(different)
    assert all(0 <= seed < 2**63 for seed in different)


def test_known_value_never_changes() -> None:
    """All published artefacts depend on this derivation."""
    assert seeds.derive("pool", "icons-conv4", 7) == 538842564048873868


def test_forked_seeds_the_block_and_restores_the_global_generator() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with seeds.forked("a"):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeds.forked("a"):
        assert torch.equal(torch.rand(3), inside)
