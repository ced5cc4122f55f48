"""From the shot list to the stage: what stands where at each keyframe and between."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from undercard.domain.colours import COLOURS
from undercard.domain.staging import Aim, Camera, Corner, Look, PlacedFighter, Staging, Vec2, between, blend
from undercard.film.base.timing import Moment
from undercard.previz import cameras, poses
from undercard.shotlist import wording
from undercard.shotlist.models import Shot, ShotList
from undercard.shotlist.staged import CameraEntry, CastMember, Cue, Ease, LookEntry

START: Mapping[Corner, Vec2] = {"red": (-0.55, 0.0), "blue": (0.55, 0.0)}
"""Where fighters stand unless told, metres: 1.1 m apart, the reach of a straight punch with the body behind it."""
REACH_METRES = 1.4
"""Between the fighters' middles; beyond it a straight punch falls short of the head and is not aimed."""
CORNER_LOOK: Mapping[Corner, Look] = {
    "red": Look(*(COLOURS[name] for name in ("fair", "crimson", "red", "black", "chestnut"))),
    "blue": Look(*(COLOURS[name] for name in ("umber", "royal_blue", "blue", "white", "black"))),
}


def _smooth(t: float) -> float:
    """Smoothstep, 3t² − 2t³: starts and stops at rest."""
    return t * t * (3.0 - 2.0 * t)


def _snap(t: float) -> float:
    """The power 0.6: two thirds of the way at half time, and still moving when it stops dead, as a fist does."""
    return float(t**0.6)


def _settle(t: float) -> float:
    """Penner's ease-out-back with overshoot 0.8: 3 % too far at two thirds of the time, then back at rest."""
    overshoot = 0.8
    rest = t - 1.0
    return 1.0 + (overshoot + 1.0) * rest**3 + overshoot * rest**2


EASES: Mapping[Ease, Callable[[float], float]] = {
    "linear": lambda t: t,
    "smooth": _smooth,
    "snap": _snap,
    "settle": _settle,
}
"""How far a fighter has come after the share t of the time between two keyframes, both 0…1."""


@dataclass(frozen=True, slots=True)
class _Track:
    """A shot, worked out once: its keyframes and its camera's own."""

    frames: tuple[int, ...]
    stagings: tuple[Staging, ...]
    camera_frames: tuple[int, ...]
    cameras: tuple[Camera, ...]
    last: Moment
    """What the shot's last frame shows."""


def stagings(shot_list: ShotList, shot: Shot) -> tuple[tuple[int, Staging], ...]:
    """Return the frame and the staging of each keyframe of *shot*."""
    track = _track(shot_list, shot)
    return tuple(zip(track.frames, track.stagings, strict=True))


def staging_at(shot_list: ShotList, shot: Shot, frame: Moment) -> Staging:
    """Return what the stage shows on *frame* of the action of *shot*; after the last keyframe it stays.

    Raises:
        ValueError: the shot has no such frame.
    """
    track = _track(shot_list, shot)
    if not 0 <= frame <= track.last:
        raise ValueError(f"shot {shot.id!r} has frames 0…{track.last}, not {frame}")
    index = bisect_right(track.frames, frame) - 1
    start = track.stagings[index]
    if track.frames[index] == frame or index + 1 == len(track.frames):
        return replace(start, camera=_camera_at(shot, track, frame))
    share = float((frame - track.frames[index]) / (track.frames[index + 1] - track.frames[index]))
    moved = between(start, track.stagings[index + 1], EASES[shot.keyframes[index + 1].ease](share))
    fighters = tuple(_with_whole_aims(fighter) for fighter in moved.fighters)
    return Staging(camera=_camera_at(shot, track, frame), fighters=fighters, light=moved.light)


def _track(shot_list: ShotList, shot: Shot) -> _Track:
    found = _tracks(shot_list)
    if shot not in found:
        found[shot] = _work_out(shot_list, shot)
    return found[shot]


# A film is planned, then rendered, then cut, shot by shot each time: a cache smaller than the film would never hit.
@lru_cache(maxsize=2)
def _tracks(shot_list: ShotList) -> dict[Shot, _Track]:
    """Return the tracks of *shot_list* that were worked out, to be added to."""
    return {}


def _work_out(shot_list: ShotList, shot: Shot) -> _Track:
    placed = [
        _placed(shot_list.cast, each, positions)
        for each, positions in zip(cues(shot), _positions(shot_list.cast, shot), strict=True)
    ]
    camera_keys = [(0, shot.keyframes[0].camera or shot.camera, placed[0])]
    for keyframe, fighters in zip(shot.keyframes[1:], placed[1:], strict=True):
        if keyframe.camera is not None:
            camera_keys.append((keyframe.at, keyframe.camera, fighters))
    track = _Track(
        frames=tuple(keyframe.at for keyframe in shot.keyframes),
        stagings=(),
        camera_frames=tuple(at for at, _, _ in camera_keys),
        cameras=tuple(_camera(entry, fighters) for _, entry, fighters in camera_keys),
        last=shot.timing.moment(shot.frames - 1),
    )
    shown = tuple(
        Staging(camera=_camera_at(shot, track, keyframe.at), fighters=fighters, light=shot.light)
        for keyframe, fighters in zip(shot.keyframes, placed, strict=True)
    )
    return replace(track, stagings=shown)


def cues(shot: Shot) -> list[dict[str, Cue]]:
    """Return what every fighter does at each keyframe, with what its cues leave out taken from before."""
    complete: list[dict[str, Cue]] = []
    for keyframe in shot.keyframes:
        current = dict(complete[-1]) if complete else {}
        for name, cue in keyframe.poses.items():
            current[name] = _following(current.get(name, Cue(pose="guard")), cue)
        complete.append(current)
    return complete


def _following(before: Cue, cue: Cue) -> Cue:
    position = cue.position or before.position
    facing = cue.facing if cue.facing is not None else before.facing
    placed = cue.model_copy(update={"position": position, "facing": facing})
    if cue.pose is not None:
        return placed
    # The pose stays, and with it how it was tuned and aimed.
    return placed.model_copy(
        update={"pose": before.pose, "tune": cue.tune or before.tune, "aim": cue.aim or before.aim}
    )


def _positions(cast: Mapping[str, CastMember], shot: Shot) -> list[dict[str, Vec2]]:
    return [{name: cue.position or START[cast[name].corner] for name, cue in each.items()} for each in cues(shot)]


def _placed(
    cast: Mapping[str, CastMember], doing: Mapping[str, Cue], positions: Mapping[str, Vec2]
) -> tuple[PlacedFighter, ...]:
    """Put the fighters on the canvas, in the cast's order whatever the order of the cues."""
    return tuple(_fighter(name, cast, doing[name], positions) for name in cast if name in doing)


def _fighter(name: str, cast: Mapping[str, CastMember], cue: Cue, positions: Mapping[str, Vec2]) -> PlacedFighter:
    member = cast[name]
    pose_name = cue.pose or "guard"
    facing = _facing(name, member.corner, cue, positions)
    aim = _aim(pose_name, cue, _opponent_in_reach(name, facing, positions))
    leads = poses.strike(pose_name) == "lead"
    return PlacedFighter(
        name=name,
        corner=member.corner,
        look=look(member),
        stance=member.stance,
        pose=poses.pose(pose_name, cue.tune),
        position=positions[name],
        facing_degrees=facing,
        lead_aim=aim if leads else Aim(),
        rear_aim=Aim() if leads else aim,
    )


def look(member: CastMember) -> Look:
    """Return the colours of *member*; those not written are his corner's."""
    written = {name: colour for name in LookEntry.model_fields if (colour := getattr(member.look, name))}
    return replace(CORNER_LOOK[member.corner], **written)


def _facing(name: str, corner: Corner, cue: Cue, positions: Mapping[str, Vec2]) -> float:
    """Return degrees: as written, or toward whom is named, or the opponent; alone, across the ring."""
    if isinstance(cue.facing, float | int):
        return float(cue.facing)
    others = [other for other in positions if other != name]
    toward = cue.facing if cue.facing in others else next(iter(others), None)
    if toward is None or positions[toward] == positions[name]:
        return 90.0 if corner == "red" else -90.0
    return _bearing(positions[name], positions[toward])


def _bearing(start: Vec2, end: Vec2) -> float:
    return math.degrees(math.atan2(end[0] - start[0], end[1] - start[1]))


def _opponent_in_reach(name: str, facing: float, positions: Mapping[str, Vec2]) -> bool:
    for other, position in positions.items():
        if other == name:
            continue
        turn = (_bearing(positions[name], position) - facing + 180.0) % 360.0 - 180.0
        # Farther to the side than 45° a fist would cross the body it belongs to.
        if math.dist(position, positions[name]) <= REACH_METRES and abs(turn) <= 45.0:
            return True
    return False


def _aim(pose_name: str, cue: Cue, in_reach: bool) -> Aim:
    if poses.strike(pose_name) is None or cue.aim == "none" or (cue.aim is None and not in_reach):
        return Aim()
    target = cue.aim or poses.target(pose_name) or "head"
    return Aim(body=1.0) if target == "body" else Aim(head=1.0)


def _with_whole_aims(fighter: PlacedFighter) -> PlacedFighter:
    """Keep the aims within 0…1, which `settle` oversteps."""

    def clamped(aim: Aim) -> Aim:
        return Aim(head=min(max(aim.head, 0.0), 1.0), body=min(max(aim.body, 0.0), 1.0))

    return replace(fighter, lead_aim=clamped(fighter.lead_aim), rear_aim=clamped(fighter.rear_aim))


def _camera(entry: CameraEntry, fighters: tuple[PlacedFighter, ...]) -> Camera:
    if entry.name is None:
        assert entry.position is not None
        assert entry.target is not None
        lens_mm = entry.lens_mm or wording.DEFAULT_LENS_MM
        return Camera(entry.position, entry.target, lens_mm, entry.roll_degrees, entry.f_number or 0.0)
    named = cameras.camera(entry.name, fighters, subject=entry.subject, lens_mm=entry.lens_mm, f_number=entry.f_number)
    return replace(named, roll_degrees=named.roll_degrees + entry.roll_degrees)


def _camera_at(shot: Shot, track: _Track, frame: Moment) -> Camera:
    """Return the camera on *frame*; it moves on its own clock, so that a punch's snap does not jerk it."""
    index = bisect_right(track.camera_frames, frame) - 1
    start = track.cameras[index]
    if index + 1 == len(track.cameras):
        return start
    first, last = track.camera_frames[index : index + 2]
    entry = next(keyframe.camera for keyframe in shot.keyframes if keyframe.at == last)
    assert entry is not None
    return blend(start, track.cameras[index + 1], EASES[entry.ease](float((frame - first) / (last - first))))
