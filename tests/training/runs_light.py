"""What tests of several processes share; without torch, so that new processes start quickly."""

from limner.core.protocols import Silent


class Heard(Silent):
    """A listener that remembers."""

    def __init__(self):
        self.messages, self.stages = [], []

    def message(self, text):
        self.messages.append(text)

    def progress(self, stage, done, total, text=""):
        self.stages.append((stage, done, total))
