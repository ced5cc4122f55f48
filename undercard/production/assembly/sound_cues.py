"""From the shot list to its score: which sound falls on which frame of the film."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from pydantic import BaseModel, ConfigDict

from undercard.domain.keys import content_key
from undercard.domain.staging import PlacedFighter, Staging
from undercard.film.sound import cue_sheet, loudness
from undercard.film.sound.cue_sheet import CueSheet, Effect, Track
from undercard.film.timeline.timeline import Timeline
from undercard.planning.plan import Plan
from undercard.previz import poses
from undercard.shotlist import direction
from undercard.shotlist.audio import TrackEntry
from undercard.shotlist.models import Shot, ShotList
from undercard.shotlist.staged import Cue
from undercard.store import Store, StoredFile, sha256_of

READY = frozenset({"guard", "bounce_up", "bounce_down", "open_guard"})
"""Poses of a man who waits for the bell."""
COVERED = frozenset({"block"})
"""Poses that take a punch to the head on the gloves."""
FALLEN = frozenset({"down"})
CHEERED = frozenset({"victory", "raised"})
REPLAY_DB = -4.0
"""A replay is remembered, not lived."""
MUSIC_DUCK_DB = 8.0
MUSIC_FADE_SECONDS = 2


class Mix(BaseModel):
    """A film's sound, as the task that made it returns it."""

    model_config = ConfigDict(frozen=True)

    file: StoredFile
    lufs: float | None
    """Integrated loudness; None where there is nothing to measure."""
    true_peak_dbtp: float | None

    @property
    def loudness(self) -> loudness.Loudness:
        """As it was measured."""
        lufs = -math.inf if self.lufs is None else self.lufs
        return loudness.Loudness(lufs, -math.inf if self.true_peak_dbtp is None else self.true_peak_dbtp)


def score(plan: Plan) -> CueSheet:
    """Return what the film of *plan* lets be heard.

    Raises:
        StoreError: a track's file is gone since the shot list was read.
    """
    timeline = plan.timeline
    wanted = plan.shot_list.sound
    if wanted is None:
        return CueSheet(timeline.fps, timeline.frame_count)
    starts = timeline.starts()
    heard: list[Effect] = []
    for shot in plan.shots:
        heard += (_moved(each, starts[shot.id], 0.0) for each in _written(shot))
        if wanted.effects:
            heard += (_moved(each, starts[shot.id], wanted.effects_db) for each in _shown(plan, shot))
    if wanted.effects and not any(each.sound == "bell" for shot in plan.shot_list.shots for each in shot.sounds):
        heard += _first_bell(plan, starts)
    return CueSheet(
        fps=timeline.fps,
        frame_count=timeline.frame_count,
        effects=tuple(heard),
        tracks=tuple(_tracks(plan, timeline, starts)),
        crowd_db=wanted.crowd_db if wanted.crowd else None,
    )


def key(scored: CueSheet) -> str:
    """Return the SHA-256 of everything that decides the bytes of the sound; a file's name is no part of it."""
    return content_key(
        {
            "mix": cue_sheet.REVISION,
            "level": loudness.REVISION,
            "fps": str(scored.fps),
            "frames": scored.frame_count,
            "effects": scored.effects,
            "crowd": scored.crowd_db,
            "tracks": [
                {
                    "file": track.sha256,
                    "frames": [track.start, track.stop, track.fade_in, track.fade_out],
                    "skip": str(track.skip_seconds),
                    "db": [track.gain_db, track.duck_db],
                    "loop": track.loop,
                }
                for track in scored.tracks
            ],
        }
    )


def mixed(scored: CueSheet, store: Store) -> Mix:
    """Mix, level and encode *scored* and keep it in *store*.

    Raises:
        UnreadableSound: a track's file cannot be decoded.
        EncodingFailed: ffmpeg stopped with an error.
        StoreError: it cannot be stored.
    """
    with store.scratch(".m4a") as path:
        found = loudness.write(scored, path)
        return Mix(
            file=store.put_file(path),
            lufs=found.lufs if found.audible else None,
            true_peak_dbtp=found.true_peak_dbtp if math.isfinite(found.true_peak_dbtp) else None,
        )


def _shown(plan: Plan, shot: Shot) -> Iterator[Effect]:
    """Yield what the poses of *shot* sound like on its own frames: slowed as it is, and of what a replay is of."""
    gain = 0.0 if shot.replay is None else REPLAY_DB
    for effect in impacts(plan.shot_list, plan.shot(shot.source)):
        frame = shot.timing.frame_at(effect.frame, shot.frames)
        if frame is not None:
            yield Effect(effect.sound, frame, gain)


def impacts(shot_list: ShotList, shot: Shot) -> Iterator[Effect]:
    """Yield what the poses of *shot* sound like, on the frames of its action.

    A punch lands on the keyframe that its fist has been aimed by; before it, the fist is on its way, and after it, it
    swings through. A punch that is aimed at nobody is heard in the air.
    """
    before: dict[str, PlacedFighter] = {}
    posed_before: dict[str, Cue] = {}
    for (frame, staging), cues in zip(direction.stagings(shot_list, shot), direction.cues(shot), strict=True):
        for fighter in staging.fighters:
            made = _sound_of(fighter, before.get(fighter.name), cues, posed_before, staging)
            if made is not None:
                yield Effect(made, frame)
        before = {fighter.name: fighter for fighter in staging.fighters}
        posed_before = cues


def _sound_of(
    fighter: PlacedFighter,
    before: PlacedFighter | None,
    cues: dict[str, Cue],
    cues_before: dict[str, Cue],
    staging: Staging,
) -> str | None:
    pose = cues[fighter.name].pose or "guard"
    last = cues_before.get(fighter.name)
    came_from = (last.pose or "guard") if last else None
    if _aimed(fighter) and (before is None or not _aimed(before) or came_from != pose):
        # A shot may open on a fist that has landed: the eye takes the cut for the hit.
        if fighter.lead_aim.body + fighter.rear_aim.body > 0:
            return "body"
        others = [cues[other.name].pose for other in staging.fighters if other.name != fighter.name]
        return "block" if any(other in COVERED for other in others) else "thud"
    if came_from is None or came_from == pose:
        return None
    if poses.strike(pose) is not None:
        return "whoosh"
    if pose in FALLEN and came_from != "sit_up":
        return "fall"
    return "cheer" if pose in CHEERED and came_from not in CHEERED else None


def _aimed(fighter: PlacedFighter) -> bool:
    return any((fighter.lead_aim.head, fighter.lead_aim.body, fighter.rear_aim.head, fighter.rear_aim.body))


def _written(shot: Shot) -> Iterator[Effect]:
    for cue in shot.sounds:
        yield Effect(cue.sound, cue.at, cue.gain_db)


def _moved(effect: Effect, start: int, gain_db: float) -> Effect:
    return Effect(effect.sound, start + effect.frame, effect.gain_db + gain_db)


def _first_bell(plan: Plan, starts: dict[str, int]) -> list[Effect]:
    """Return the bell for a film whose list names none: where two first stand ready for each other."""
    assert plan.shot_list.sound is not None
    for shot in plan.shots:
        if shot.replay is not None:
            continue
        first = direction.cues(shot)[0]
        if len(first) == 2 and all((cue.pose or "guard") in READY for cue in first.values()):
            return [Effect("bell", starts[shot.id], plan.shot_list.sound.effects_db)]
    return []


def _tracks(plan: Plan, timeline: Timeline, starts: dict[str, int]) -> Iterator[Track]:
    wanted = plan.shot_list.sound
    assert wanted is not None
    entries = list(wanted.tracks)
    if wanted.music is not None:
        fade = min(round(MUSIC_FADE_SECONDS * timeline.fps), timeline.frame_count // 4)
        entries.insert(
            0,
            TrackEntry.model_construct(file=wanted.music, gain_db=wanted.gain_db, fade_out=fade, duck_db=MUSIC_DUCK_DB),
        )
    for entry in entries:
        # An excerpt has no place for the track of a shot that it lacks.
        if entry.shot is not None and entry.shot not in starts:
            continue
        origin = starts[entry.shot] if entry.shot is not None else 0
        start = origin + entry.start
        stop = timeline.frame_count if entry.stop is None else min(origin + entry.stop, timeline.frame_count)
        if start >= stop:
            continue
        yield Track(
            file=entry.file,
            sha256=sha256_of(entry.file),
            start=start,
            stop=stop,
            skip_seconds=Fraction(entry.skip) / timeline.fps,
            gain_db=entry.gain_db,
            fade_in=entry.fade_in,
            fade_out=entry.fade_out,
            duck_db=entry.duck_db,
            loop=entry.loop,
        )
