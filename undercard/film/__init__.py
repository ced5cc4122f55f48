"""The film: from accepted keyframes to a checked MP4.

base/         what all the rest stands on
  pixels         a frame, and the mixing of two
  stills         reading a keyframe's picture
  ticks          rates and times as PyAV gives them
  timing         which moment of a shot's action each of its frames shows
  ffmpeg         the only file that knows ffmpeg
motion/       stills become frames
  footage        the stills of a shot, and which of its frames are wanted
  motions        how a shot's stills become its frames
  camera_moves   push-in, pull-out and pans over stills
  flow           the pictures between two stills
  reel           what a video model made between two stills
  transitions    how one shot becomes the next
lettering/    what is laid over a shot
  graphics       titles, lower thirds, clocks, scores, captions
  graphic_design what each of them looks like
  layer          lettering and shapes on nothing
  typeface       lines of any script in the fonts that are shipped
sound/        what is heard
  synthesis      the sounds of a fight, made from nothing
  sound_file     reading sound files
  cue_sheet      what is heard when, and its mix
  loudness       the mix at the level that players expect
timeline/     which shot shows when
  timeline       shots, transitions, and the pieces that are encoded on their own
  chapters       what players show beside the film
  captions       captions beside the film
encoding/     frames to files
  segments       encode a piece, join the pieces
  h264, bits     pictures that repeat the one before
  mp4, boxes, track  the container
  lossless       frames kept without loss, for what is delivered in another codec
  delivery, delivery_presets  other codecs and shapes
checking/     is it what was drawn?
  qc             hold pieces and film against what was drawn and against the timeline
  watch          black, flashes, frozen and misplaced pictures
interchange/  other editors
  editors        OpenTimelineIO, EDL and FCPXML beside the film
  handles        the film as whole shots, whose transitions an editor can move
  fcpxml         Final Cut's
sheet/        what shows a film at a glance
  contact_sheet, grid, stamps, text  every keyframe on one picture
  preview        a picture of each shot, one after the other
"""
