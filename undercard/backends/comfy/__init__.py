"""A running ComfyUI as a renderer, over its HTTP API and nothing else.

nodes.py       graphs, and what a server says of its nodes
validation.py  every problem of a graph, before it is queued
files.py       which of a server's files to render with
graph.py       the graphs of Qwen-Image-Edit 2509 and 2511
workflow.py    the user's own workflow
placeholders.py  what a workflow is filled in with
server.py      what a server can do, looked at now and then
known.py       which files it was last seen to have
client.py      its HTTP API
events.py      its websocket
patience.py    waiting for it
job.py         one graph, from the queue to its pictures
guard.py       the process that cancels what a killed one left behind
faults.py      what its errors mean
renderer.py    requests to pictures
"""
