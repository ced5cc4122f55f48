"""A verdict as a picture: the keyframe with what the checks saw on it, and every score beside its threshold."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from undercard.cli import verdict_people
from undercard.film.sheet.text import drawable, font, shortened, wrapped
from undercard.gate.contract import Finding, Verdict
from undercard.gate.evidence import Evidence

PAPER = "#16171a"
TRACK = "#2a2c31"
BRIGHT = "#f1efe9"
QUIET = "#8f9299"
GREEN = "#6cc38a"
RED = "#f0433a"
PICTURE_WIDTH, PICTURE_HEIGHT = 1280, 960
PANEL_WIDTH = 560
MARGIN = 22
ROW = 30
CAUSE_ROW = 20
LEGEND_COLUMNS = 2
NOT_JUDGED = "not judged: nothing to hold it to, or nobody to be read"
LONGEST = 1.5
"""How many times its limit a bar shows at most."""


def annotated(evidence: Evidence, verdict: Verdict, label: str) -> Image.Image:
    """Return the picture of *evidence* with regions and joints drawn on it, and the findings beside it.

    Args:
        evidence: what was judged.
        verdict: what the gate said.
        label: what the picture is called.
    """
    picture = evidence.image
    scale = min(PICTURE_WIDTH / picture.width, PICTURE_HEIGHT / picture.height)
    shown = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    draw = ImageDraw.Draw(shown)
    signs = verdict_people.draw_people(draw, evidence, verdict, scale)
    _draw_regions(draw, verdict.findings, scale)
    below = verdict_people.LEGEND_ROW * -(-len(signs) // LEGEND_COLUMNS)
    height = max(shown.height + below + (MARGIN if signs else 0), _panel_height(verdict)) + 2 * MARGIN
    sheet = Image.new("RGB", (shown.width + PANEL_WIDTH + 3 * MARGIN, height), PAPER)
    sheet.paste(shown, (MARGIN, MARGIN))
    colour = GREEN if verdict.accepted else RED
    frame = ImageDraw.Draw(sheet)
    frame.rectangle(
        (MARGIN - 4, MARGIN - 4, MARGIN + shown.width + 3, MARGIN + shown.height + 3), outline=colour, width=4
    )
    _draw_panel(frame, (shown.width + 2 * MARGIN, MARGIN), verdict, label)
    for index, sign in enumerate(signs):
        row, column = divmod(index, LEGEND_COLUMNS)
        left = MARGIN + column * shown.width // LEGEND_COLUMNS
        top = 2 * MARGIN + shown.height + row * verdict_people.LEGEND_ROW
        verdict_people.draw_sign(frame, (left, top), sign, shown.width // LEGEND_COLUMNS)
    return sheet


def _draw_regions(draw: ImageDraw.ImageDraw, findings: Sequence[Finding], scale: float) -> None:
    """Frame what each failed check pointed at, with its name."""
    face = font(16)
    for finding in findings:
        if finding.region is None:
            continue
        left, top, width, height = (value * scale for value in finding.region)
        draw.rectangle((left - 2, top - 2, left + width + 2, top + height + 2), outline=RED, width=3)
        text = drawable(finding.check)
        x, y = max(left, 0.0) + 4, max(top, 0.0) + 4
        draw.rectangle((x, y, x + face.getlength(text) + 10, y + 22), fill=RED)
        draw.text((x + 5, y + 1), text, fill=BRIGHT, font=face)


def _draw_panel(draw: ImageDraw.ImageDraw, corner: tuple[int, int], verdict: Verdict, label: str) -> None:
    left, y = corner
    unheard = ", the judge not heard" if verdict.unheard else ""
    heading = (
        f"accepted{unheard}" if verdict.accepted else "rejected: " + ", ".join(fault.value for fault in verdict.faults)
    )
    draw.text((left, y), shortened(drawable(label), font(17), PANEL_WIDTH), fill=QUIET, font=font(17))
    for line in wrapped(drawable(heading), font(26), PANEL_WIDTH, 2):
        y += 30
        draw.text((left, y), line, fill=GREEN if verdict.accepted else RED, font=font(26))
    y += 48
    # What failed first: the rest is there to see how near it came.
    for finding in sorted(verdict.findings, key=lambda each: each.passed):
        y = _draw_finding(draw, (left, y), finding)


def _draw_finding(draw: ImageDraw.ImageDraw, corner: tuple[int, int], finding: Finding) -> int:
    """Draw a row: name, bar, score and limit; then the cause. Return where the next one goes."""
    left, y = corner
    face, colour = font(16), GREEN if finding.passed else RED
    name_colour = RED if not finding.passed else BRIGHT if finding.judged else QUIET
    draw.text((left, y), shortened(drawable(finding.check), face, 110), fill=name_colour, font=face)
    if not finding.judged:
        draw.text((left + 118, y), NOT_JUDGED, fill=QUIET, font=face)
        return y + ROW
    start, end = left + 118, left + PANEL_WIDTH - 190
    # The limit stands at the same place in every bar.
    mark = start + (end - start) / LONGEST
    share = finding.score / finding.threshold if finding.threshold else float(finding.score > 0.0) * LONGEST
    draw.rectangle((start, y + 6, end, y + 15), fill=TRACK)
    length = max(0.0, min(share, LONGEST)) / LONGEST * (end - start)
    if length >= 1.0:
        draw.rectangle((start, y + 6, start + length, y + 15), fill=colour)
    draw.line((mark, y + 2, mark, y + 19), fill=BRIGHT, width=2)
    draw.text((end + 14, y), _figure(finding.score), fill=BRIGHT, font=face)
    draw.text((end + 84, y), _limit(finding), fill=QUIET, font=face)
    y += ROW
    for line in wrapped(drawable(finding.cause), font(15), PANEL_WIDTH - 16, 4):
        draw.text((left + 16, y - 4), line, fill=QUIET, font=font(15))
        y += CAUSE_ROW
    return y + (6 if finding.cause else 0)


def _limit(finding: Finding) -> str:
    """Return which scores pass; by the side on which this one lies, which is all that a finding tells of it."""
    above = finding.score > finding.threshold
    least = above if finding.passed else not above
    return f"{'least' if least else 'most'} {_figure(finding.threshold)}"


def _figure(value: float) -> str:
    """Return *value* in three figures, none of them beyond the third decimal."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{float(f'{value:.3g}'):.3f}".rstrip("0").rstrip(".")


def _panel_height(verdict: Verdict) -> int:
    causes = sum(6 + CAUSE_ROW * len(wrapped(drawable(each), font(15), PANEL_WIDTH - 16, 4)) for each in verdict.causes)
    return 110 + ROW * (len(verdict.findings) + 1) + causes
