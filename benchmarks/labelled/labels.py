"""What each planted defect is called: its fault, and what comes of it by itself."""

from __future__ import annotations

from undercard.gate.contract import Fault

STRENGTHS = ("mild", "moderate", "severe")
FAULTS = {
    "blank": Fault.NUMERICAL, "dead tile": Fault.NUMERICAL, "blur": Fault.SOFT, "noise": Fault.NOISY,
    "seam": Fault.TILED, "burn": Fault.BURNT, "crush": Fault.BURNT, "band": Fault.BANDED, "jpeg": Fault.BLOCKY,
    "cast": Fault.WRONG_LIGHT, "copied control": Fault.NOT_EDITED, "copied sheet": Fault.NOT_EDITED,
    "repeated take": Fault.REPEATED, "repeated neighbour": Fault.REPEATED, "exposure jump": Fault.JUMP,
    "zoom jump": Fault.JUMP, "wrong size": Fault.WRONG_FRAME, "wrong pose": Fault.WRONG_POSE,
    "mirrored": Fault.WRONG_POSE, "missing fighter": Fault.WRONG_COUNT, "third fighter": Fault.WRONG_COUNT,
    "swapped corners": Fault.SWAPPED, "drifted fighter": Fault.DRIFTED, "extra limb": Fault.EXTRA_LIMB,
}  # fmt: skip
"""What the gate should call each defect."""
JUDGED_BY = {
    "missing fighter": "count", "third fighter": "stranger", "wrong pose": "pose", "mirrored": "pose",
    "swapped corners": "corner", "drifted fighter": "identity", "extra limb": "limbs",
}  # fmt: skip
"""The check that finds a defect, of defects whose checks cannot read every picture."""
_PEOPLE = frozenset(
    {Fault.WRONG_COUNT, Fault.WRONG_POSE, Fault.EXTRA_LIMB, Fault.SWAPPED, Fault.DRIFTED}
)  # fmt: skip
_LOOK = frozenset({Fault.BURNT, Fault.WRONG_LIGHT, Fault.JUMP})
ALSO = {
    "blank": frozenset(Fault),
    "dead tile": _PEOPLE | _LOOK | {Fault.TILED},
    # What stretches 8 bits leaves gaps between levels, and lifts the grain with the rest.
    # Nobody can be read where all is white or black.
    "burn": _LOOK | _PEOPLE | {Fault.NOISY, Fault.BANDED},
    "crush": _LOOK | _PEOPLE | {Fault.BANDED},
    # Blocks of one level leave gaps between levels, and what is nearly black becomes black.
    "jpeg": frozenset({Fault.BANDED, Fault.BURNT, Fault.JUMP}),
    # Half of the picture is lighter.
    "seam": frozenset({Fault.JUMP}),
    # Trunks and gloves are under the same light.
    "cast": _LOOK | {Fault.DRIFTED},
    "exposure jump": _LOOK,
    "zoom jump": _PEOPLE,
    "wrong size": _PEOPLE | _LOOK,
    "copied control": _LOOK,
    "copied sheet": frozenset(Fault),
    "repeated neighbour": _PEOPLE | _LOOK,
    "wrong pose": _PEOPLE,
    "mirrored": _PEOPLE | _LOOK,
    "missing fighter": _PEOPLE,
    "third fighter": _PEOPLE,
    "swapped corners": _PEOPLE,
    "drifted fighter": _PEOPLE,
    "extra limb": _PEOPLE,
}
"""What comes of a defect by itself, so that the gate is not wrong to say it as well: a black tile hides people."""
