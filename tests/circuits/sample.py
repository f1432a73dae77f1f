"""A small dataset with one record to prove, and what an attacker may do to its witness."""

from dataclasses import dataclass

from circuits.statements.membership import membership_witness
from provenance.expected.membership import membership_depth, membership_public
from provenance.field import FieldElement
from provenance.leaf import blinded_index, blinded_leaf
from provenance.tree import InclusionProof, chunk_root, prove_inclusion, record_root

NAME = "membership-22.v2"
CONTEXT = FieldElement(2**200 + 11)
LEAF_BLIND = FieldElement(2**251 + 3)
INDEX_BLIND = FieldElement(2**250 + 5)

Witness = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Sample:
    """One record, where it stands, and what the verifier expects of a proof about it."""

    name: str
    leaf: FieldElement
    root: FieldElement
    chunks: int
    inclusion: InclusionProof
    witness: Witness
    public: tuple[FieldElement, ...]


def sample(name: str = NAME, chunks: int = 3, count: int = 5, position: int = 2) -> Sample:
    """Return record `position` of the last chunk of a dataset of equal chunks."""
    leaves = [[10**40 * (c + 1) + i for i in range(count)] for c in range(chunks)]
    table = [chunk_root(each) for each in leaves]
    leaf, depth = FieldElement(leaves[-1][position]), membership_depth(name)
    inclusion = prove_inclusion(leaves[-1], position, table, chunks - 1)
    root = record_root(table)
    hidden = (blinded_leaf(leaf, LEAF_BLIND), blinded_index(inclusion.index, INDEX_BLIND))
    return Sample(
        name=name,
        leaf=leaf,
        root=root,
        chunks=chunks,
        inclusion=inclusion,
        witness=membership_witness(
            inclusion, chunks, leaf, LEAF_BLIND, INDEX_BLIND, CONTEXT, depth
        ),
        public=membership_public(name, root, chunks, *hidden, CONTEXT),
    )
