"""Digests of the usual circuits, as this source and ezkl 23.0.5 make them.

`python -m circuits.pin NAME …` prints the entry of a circuit that is new or has changed; one that
was published under a name never changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from provenance.field import Digest


@dataclass(frozen=True, slots=True)
class Pinned:
    """SHA-256 of graph and settings, and the size of every proof."""

    onnx: Digest
    settings: Digest
    proof_bytes: int


def _pinned(onnx: str, settings: str, proof_bytes: int) -> Pinned:
    return Pinned(Digest.parse(onnx), Digest.parse(settings), proof_bytes)


PINNED: Final[Mapping[str, Pinned]] = {
    "exclusion-40.v1": _pinned(
        "b99b47f5fd9d7da6c57380fe9d48c6f9c2a7ec678a9b1007836f65f44428efe5",
        "c85dc331a072b8fe709dd5b72401e96f1ca16d0b1689519ae29d0f4fd1aab191",
        2560,
    ),
    "exclusion-40x4.v1": _pinned(
        "702caa4fbe5e6059545c8c262baf86421e18f3a1840a2a03be57323a66d6cb9b",
        "f2462e07890199640773d98fee28e622a6522771e011d4e6fb3654368582c3c8",
        2112,
    ),
    "exclusion-64.v1": _pinned(
        "b4245e4b0dd1b4992c2cc7e40e2cd64b657d2f3013de9943a16f5a638dbed99c",
        "9d965b9d74189dc11f5b830149ab0d2646be6f2ed8a067557ab0ad7719d5d6af",
        2112,
    ),
    "membership-14.v2": _pinned(
        "6a6c770a61f87a1112657e227cea68471a5094975d0b6fde4c3d0ddc6b11878d",
        "f7cd555fcd14c4bc287780b1c4eb8d7e017fc5e9b2e203d5168d83ccc7488597",
        2560,
    ),
    "membership-22.v2": _pinned(
        "ff26ab782a6c140d4cda3d7102edf6979456c79fad062ba01fbb130df0ad3056",
        "f987b67aef85283900bd921cf3b1a120a4c712a878a197ad1c88324e97641ca9",
        2560,
    ),
    "membership-32.v2": _pinned(
        "53baf76a01ae218f5c1e1e345e251c43ac16e357f7bd2a404e13d4ba721f1388",
        "1e6c9c8b6f4e0244f0cdb52ad6167f61624818d290937a80cccf492e8e903b2c",
        2112,
    ),
    "inference-logistic-1x30-open.v1": _pinned(
        "3faf91765338a091df8824f75a2814d0cd5d2b8b518093e8f17c04294c84b285",
        "eb9eb8d2ecdf1d4154da680b327e8cdac8ca5bee3ce4f8af622bb37de3235f3a",
        6240,
    ),
    "inference-logistic-16x30-committed.v1": _pinned(
        "06a74c7a9073ccb2228f80f00456a9d6d3a9686b3a5fb67b6f9d5331a05f2538",
        "e767dfff305c5696c1b81c5e09ef57ce25cfbeb83287974aca4d51b9e2711045",
        6240,
    ),
    "evaluation-logistic-64x30.v1": _pinned(
        "7f922c1b2aafe5ae456f09c38d02f4e6d6cbdc140f464b7cbb0fe1373bddeeb3",
        "26e6bcbae8bc7a25080eb28b8a27f4e65ea03351603d569e5155c812366d6d39",
        4160,
    ),
    "evaluation-mlp16to4-32x32.v1": _pinned(
        "bf0962cdc859f4269dd108cf19bb532e205bcd2a418b97b9c074fbfab8ee317a",
        "545bfe17822101db4a9ef19d9f6c7d130a17c2487a7e9cde425039e0c03d89ff",
        4160,
    ),
    "evaluation-logistic-60x30.v1": _pinned(
        "7744733f83490c9a4b3fdea20d79cc7eaaeab18dd31cf5ed02fd53b00ccd7ea7",
        "c08bdbb94d6a959fe4c7018f516e447af94cc8f4e2554377f275282cba185ad1",
        4896,
    ),
    "step-linear-16x8-r2.v1": _pinned(
        "84585df159dcc2e3a4a5409b51482c3d9253bbcd46adf57e6b65b4777e54bc6e",
        "5856d7e1efec943e041b2ce76cbdb5cb5336975f9718839d60131886e4e00f9b",
        3424,
    ),
    "step-linear-16x8-u4-r2.v1": _pinned(
        "bee21c4cca0bb425d8b8544f6c77639bd47eb8ee11358d39881e0711f0098d05",
        "144876fab783a47bfdd8803208f8f902af2402cf6f44e9ddeaa2bd61d705ce20",
        2944,
    ),
    "step-linear-16x8-r2-m943718-d105.v1": _pinned(
        "030975a5edf739e5a085d19bb5ae9dd688aa508550558b54296dced53ee35e57",
        "9537488517144b03d59286ecf0a8d7441ecefd8b3e1c36efbcc85fb43692edf0",
        3424,
    ),
    "step-linear-16x8-r2-e2.v1": _pinned(
        "e429fd3b26ca674870fb31cf67514856a0663e1906003146a1477b3326f1d7b8",
        "5856d7e1efec943e041b2ce76cbdb5cb5336975f9718839d60131886e4e00f9b",
        3424,
    ),
    "step-linear-64x32-r2.v1": _pinned(
        "4193b10f3309a7fef9a3acdc8c4e4465b5e54b22517ec366afe5f53406a7aa30",
        "2d2bb591f82fef7049f6a687dbe05547d8dbe98c5377a0576c5e437190158a9b",
        2656,
    ),
    "step-logistic-64x32-r1.v1": _pinned(
        "cc0ae0d41660602b8881acb4275c3528dee51d3823d00b13496ed3ff7582e847",
        "5e6c91f5638051f38271a477a992f1289fa10c458e3b059387bedead13254e25",
        2656,
    ),
    "step-logistic-16x30-u4-r1.v1": _pinned(
        "300d6eccaa45147bbfc722882452821b1cc194dd52cbe6d9539897d9489ab56b",
        "bb4e18e6e44eb36e66d10925cab29afd0085c66299421468b57b2d8fb7e49d33",
        2656,
    ),
    "step-mlp16to4-64x32-r3.v1": _pinned(
        "fce57c3ba9644efc4bd75efeece47797e7d3303acbebfc84e20e08f13f6f19df",
        "e84654363ae38e0a9ce05e1a85d17ac1b1e73ba0105bd90fb37d456f1c90ee5e",
        10304,
    ),
}
