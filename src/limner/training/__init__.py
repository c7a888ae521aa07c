"""Training: a loop of our own on Lightning Fabric, replayable to the byte."""
