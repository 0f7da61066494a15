"""The live-send rule: stamp, verify."""
