"""The film: from accepted keyframes to a checked MP4.

timeline       which shot shows when, and the pieces that are encoded on their own
timing         which moment of a shot's action each of its frames shows
footage        the stills of a shot, and which of its frames are wanted
motion         how a shot's stills become its frames
camera_moves   push-in, pull-out and pans over stills
reel           what a video model made between two stills
flow           the pictures between two stills
transition     how one shot becomes the next
segments       encode a piece, join the pieces
ffmpeg         the only file that knows ffmpeg
synthesis      the sounds of a fight, made from nothing
sound_file     reading sound files
sound          what is heard when, and its mix
loudness       the mix at the level that players expect
chapters       what players show beside the film
watch          black, flashes, frozen and misplaced pictures
qc             hold pieces and film against what was drawn and against the timeline
lossless       frames kept without loss, for what is delivered otherwise
delivery       other codecs and shapes
delivery_presets  which codecs, and how
interchange    timelines for other editors
handles        the film as whole shots, whose transitions an editor can move
fcpxml         Final Cut's
contact_sheet  every keyframe on one picture
sheet_grid     where its frames lie
graphics       what is laid over a shot: titles, lower thirds, clocks, scores, captions
graphic_design what each of them looks like
layer          lettering and shapes on nothing
typeface       lines of any script in the fonts that are shipped
captions       captions beside the film
lettering      text on the contact sheet
stills         reading a keyframe's picture
pixels         a frame, and the mixing of two
"""
