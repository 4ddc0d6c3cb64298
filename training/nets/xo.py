"""The toy that says whether a 9x9 picture shows an X or an O, with three published filters.

After B. Rohrer, "How do convolutional neural networks work?", as tabulated in the lecture
"Convolutional Neural Network", week 6 (Taj/Nazir).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.nets.encoder import Encoder, pad_edges

PUBLISHED_FILTERS = {
    "diagonal": ((1, -1, -1), (-1, 1, -1), (-1, -1, 1)),
    "cross": ((1, -1, 1), (-1, 1, -1), (1, -1, 1)),
    "antidiagonal": ((-1, -1, 1), (-1, 1, -1), (1, -1, -1)),
}


class FilterMatch(nn.Module):
    """How well each 3x3 filter fits each place, from -1 (opposite) to 1 (the very same).

    Multiplying by whole numbers first and dividing by nine once keeps a perfect match
    exactly 1, as the published tables have it.
    """

    def __init__(self) -> None:
        super().__init__()
        filters = torch.tensor(list(PUBLISHED_FILTERS.values()), dtype=torch.float32)
        self.register_buffer("weight", filters.unsqueeze(1))
        self.weight: Tensor

    def forward(self, images: Tensor) -> Tensor:
        return functional.conv2d(images, self.weight) / 9


class XONet(Encoder):
    """Published filters, ReLU, 2x2 max pooling, then a small trained head votes."""

    head = ("flatten", "hidden", "hidden_relu", "fc")
    out_channels = (3, 3)
    strides = (1, 2)

    def __init__(self, classes: int, in_channels: int = 1, hidden: int = 64) -> None:
        super().__init__()
        if in_channels != 1:
            raise ValueError("the published filters are for pictures of one channel")
        self.conv = FilterMatch()
        self.relu = nn.ReLU()
        # the published table keeps the last, partial window
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.flatten = nn.Flatten()
        self.hidden = nn.Linear(3 * 4 * 4, hidden)
        self.hidden_relu = nn.ReLU()
        self.fc = nn.Linear(hidden, classes)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the filters' answers, padded to the picture's size, and the pooled ones."""
        padded = pad_edges(images, (1, 1, 1, 1), self.padding_mode)
        answers = self.relu(self.conv(padded))
        return [answers, self.pool(answers)]

    def forward(self, images: Tensor) -> Tensor:
        maps = self.flatten(self.pool(self.relu(self.conv(images))))
        return self.fc(self.hidden_relu(self.hidden(maps)))
