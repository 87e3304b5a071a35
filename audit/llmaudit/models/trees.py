"""Trees of tokens: what texts have in common at their start is read once, in one row of a batch.

A row holds the nodes of one tree in the order of a walk through it, each node once. A mask lets
every node see its ancestors and itself only, and its position is its depth, so that the network
computes at a node what it would compute at the end of the plain text that leads there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from llmaudit.models.likelihoods import LikelihoodRow, likelihood_batch, settle

if TYPE_CHECKING:
    import torch

    from llmaudit.models.forward import CausalNetwork

#: Nodes that a tree may have, unless one text alone has more. Attention compares every node of a
#: row with every other, so wide rows share more and waste more.
TREE_NODES = 128


@dataclass(eq=False, slots=True)
class TokenTree:
    """A tree of tokens, its nodes numbered in the order of a walk.

    Attributes
    ----------
    tokens, depths : list of int
        Of every node; the root has depth 0.
    ends : list of int
        Of every node, the number after that of its last descendant.
    rows : list of (LikelihoodRow, tuple of int)
        What is asked of the tree, with the nodes of its input in order.
    """

    tokens: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    rows: list[tuple[LikelihoodRow, tuple[int, ...]]] = field(default_factory=list)

    def growth(self, ids: tuple[int, ...]) -> int:
        """Return how many nodes a text would add."""
        return len(ids) - self._common(ids)

    def add(self, row: LikelihoodRow) -> None:
        """Add a row; rows must come in the order of their tokens."""
        ids = row.input_ids
        common = self._common(ids)
        path = self.rows[-1][1][:common] if self.rows else ()
        path += tuple(range(len(self.tokens), len(self.tokens) + len(ids) - common))
        self.tokens += ids[common:]
        self.depths += range(common, len(ids))
        self.ends += [0] * (len(ids) - common)
        for node in path:
            self.ends[node] = len(self.tokens)
        self.rows.append((row, path))

    def _common(self, ids: tuple[int, ...]) -> int:
        """Return how many tokens a text has in common with the last one of the tree."""
        if not self.rows:
            return 0
        common = 0
        for node, token in zip(self.rows[-1][1], ids, strict=False):
            if self.tokens[node] != token:
                break
            common += 1
        return common


def plant(rows: Sequence[LikelihoodRow]) -> list[TokenTree]:
    """Gather rows into trees, each of neighbours in the order of their tokens."""
    trees = [TokenTree()]
    for row in sorted(rows, key=lambda row: (row.input_ids, row.request.id)):
        tree = trees[-1]
        if tree.rows and len(tree.tokens) + tree.growth(row.input_ids) > TREE_NODES:
            tree = TokenTree()
            trees.append(tree)
        row.tree = len(trees) - 1
        tree.add(row)
    return trees


def regrow(rows: Sequence[LikelihoodRow]) -> list[TokenTree]:
    """Return the trees that rows were planted in, of these rows alone."""
    trees: dict[int, TokenTree] = {}
    for row in rows:
        trees.setdefault(row.tree, TokenTree()).add(row)
    return list(trees.values())


def tree_batches(rows: Sequence[LikelihoodRow], tokens: int) -> Iterator[list[LikelihoodRow]]:
    """Yield batches of whole trees, the largest first, each of at most ``tokens`` with its padding.

    The plan depends on the rows alone, so a resumed run plans the same batches.
    """
    batch: list[TokenTree] = []
    for tree in sorted(plant(rows), key=lambda tree: -len(tree.tokens)):
        if batch and (len(batch) + 1) * len(batch[0].tokens) > tokens:
            yield [row for tree in batch for row, _ in tree.rows]
            batch = []
        batch.append(tree)
    if batch:
        yield [row for tree in batch for row, _ in tree.rows]


def tree_likelihoods(network: CausalNetwork, rows: Sequence[LikelihoodRow]) -> list[LikelihoodRow]:
    """Fill in ``logprob`` = sum of log p(token | everything to its left) over each continuation."""
    import torch

    trees = regrow(rows)
    reads: dict[tuple[int, int], int] = {}
    which: list[int] = []
    targets: list[int] = []
    for index, tree in enumerate(trees):
        for row, path in tree.rows:
            asked = path[len(row.context_ids) - 1 :]
            which += [reads.setdefault((index, node), len(reads)) for node in asked]
            targets += row.continuation_ids
    with torch.inference_mode():
        places = torch.tensor(list(reads), device=network.device)
        input_ids, positions, mask = _lay_out(network, trees)
        logprobs = network.logprobs_at(
            input_ids, places[:, 0], places[:, 1], which, targets, mask=mask, positions=positions
        ).tolist()
    start = 0
    for tree in trees:
        sums: list[float] = []
        for row, _ in tree.rows:
            end = start + len(row.continuation_ids)
            sums.append(sum(logprobs[start:end]))
            start = end
        _settle_tree(network, tree, sums)
    return list(rows)


def _settle_tree(network: CausalNetwork, tree: TokenTree, sums: Sequence[float]) -> None:
    """Store the sums of a tree; where one is not finite, each text of it is asked again alone.

    What the mask hides has no weight, but no weight times NaN is NaN: one broken token spoils
    its whole row.
    """
    if len(sums) > 1 and not all(map(isfinite, sums)):
        for row, _ in tree.rows:
            likelihood_batch(network, [row])
        return
    for (row, _), total in zip(tree.rows, sums, strict=True):
        settle(row, total)


def _lay_out(
    network: CausalNetwork, trees: Sequence[TokenTree]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return tokens and positions, shape (trees, widest), and the mask added to attention.

    What fills a row up is a copy of its root that sees nothing but itself.
    """
    import torch

    width = max(len(tree.tokens) for tree in trees)
    device = network.device
    gaps = [width - len(tree.tokens) for tree in trees]
    input_ids = network.pad([tree.tokens for tree in trees], left=False)
    nodes = torch.arange(width, device=device)
    positions = torch.tensor(
        [[*t.depths, *[0] * gap] for t, gap in zip(trees, gaps, strict=True)], device=device
    )
    ends = torch.tensor(
        [[*t.ends, *range(len(t.ends) + 1, width + 1)] for t in trees], device=device
    )
    before = nodes.unsqueeze(0) <= nodes.unsqueeze(1)
    seen = before & (nodes.unsqueeze(1) < ends.unsqueeze(1))
    return input_ids, positions, network.added_mask(seen)
