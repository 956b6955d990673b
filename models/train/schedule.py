"""What every step of a run does. All of it is counted in steps: from the start, or back from the end, so that a run of
another length begins in the same way, and one whose length is set while it runs is the run that had it from the start."""
from dataclasses import dataclass


@dataclass
class Schedule:
    steps: int
    batch: int = 4096       # tokens a step
    ctx: int = 512
    warmup: int = 60
    short: int = 400        # first steps, with rows of ctx / 8 tokens; after them rows have ctx / 2
    long: int = 300         # last steps, with rows of ctx tokens
    copying: int = 900      # first steps, of whose rows a fifth repeat random tokens; after them a twentieth
    decay: int = 600        # last steps, over which the learning rates fall to zero
    full: int = 40          # last steps, with the softmax over all of the vocabulary

    def tail(self):
        """The first step that depends on the length of the run."""
        return self.steps - max(self.long, self.decay, self.full)

    def length(self, step):
        return self.ctx if step >= self.steps - self.long else self.ctx // 2 if step >= self.short else self.ctx // 8

    def rows(self, step):
        """How many rows repeat random tokens, and how many are text."""
        n = self.batch // self.length(step)
        made = round(n * (.2 if step < self.copying else .05))
        return made, n - made

    def rate(self, step):
        return min(1, (step + 1) / self.warmup, (self.steps - step) / self.decay)

    def whole_vocabulary(self, step):
        return step >= self.steps - self.full

    def places(self):
        """For every step the first block that it reads, and which piece of it. A block is read piece by piece in
        neighbouring steps; the rows of one step are the same piece of as many blocks."""
        first, piece = 0, 0
        for step in range(1 << 60):
            yield first, piece
            piece += 1
            if piece * self.length(step) == self.ctx or (self.length(step), self.rows(step)) != (self.length(step + 1), self.rows(step + 1)):
                first, piece = first + self.rows(step)[1], 0
