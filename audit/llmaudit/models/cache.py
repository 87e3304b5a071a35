"""A key-value cache that leaves room for the tokens to come instead of copying itself each step."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values, written into buffers that were made large enough at once.

    transformers' own layer concatenates, which copies the whole cache for every token.
    """

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, layer: Any, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device = layer.dtype, layer.device
        self.is_initialized = True
        self._adopt(layer.keys, layer.values, room)

    def _adopt(self, keys: torch.Tensor, values: torch.Tensor, room: int) -> None:
        self._length = keys.shape[-2]
        self._keys = keys.new_empty((*keys.shape[:2], self._length + room, keys.shape[-1]))
        self._values = values.new_empty((*values.shape[:2], self._length + room, values.shape[-1]))
        self._keys[:, :, : self._length] = keys
        self._values[:, :, : self._length] = values
        self._expose()

    def _expose(self) -> None:
        self.keys = self._keys[:, :, : self._length]
        self.values = self._values[:, :, : self._length]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the new states and return all of them, shape (rows, heads, length, width)."""
        start, self._length = self._length, self._length + key_states.shape[-2]
        self._keys[:, :, start : self._length] = key_states
        self._values[:, :, start : self._length] = value_states
        self._expose()
        return self.keys, self.values

    def select(self, rows: torch.Tensor) -> None:
        """Keep these rows only, in this order; the room left over stays."""
        rows = rows.to(self._keys.device)
        self._keys = self._keys.index_select(0, rows)
        self._values = self._values.index_select(0, rows)
        self._expose()


def describe_layers(config: Any) -> tuple[bool, int | None]:
    """Say whether all layers of a network attend only, and the shortest window that any keeps."""
    layers: list[Any] = DynamicCache(config=config).layers
    kinds = {type(layer) for layer in layers}
    windows = [layer.sliding_window for layer in layers if type(layer) is DynamicSlidingWindowLayer]
    return kinds <= {DynamicLayer, DynamicSlidingWindowLayer}, min(windows, default=None)


def repeat_prefix(cache: DynamicCache, shifts: torch.Tensor) -> None:
    """Repeat a cache of one row for many, each moved right to make place for its padding.

    Parameters
    ----------
    cache : DynamicCache
        Of one row; changed in place. Its length stays: what is moved out at the end is dropped.
    shifts : Tensor of int64, shape (rows,)
        How far each row is moved. What stands before it then must be masked out. A row of a
        sliding window may be moved only while the window still holds the whole prefix.
    """
    layers: list[Any] = cache.layers
    for layer in layers:
        if not layer.is_initialized:  # a layer that uses another's keys and values
            continue
        here = layer.keys.device
        columns = torch.arange(layer.keys.shape[-2], device=here)
        index = (columns - shifts.to(here).unsqueeze(1)).clamp_(min=0)
        layer.keys = layer.keys[0][:, index].transpose(0, 1)
        layer.values = layer.values[0][:, index].transpose(0, 1)


def make_room(cache: DynamicCache, copies: torch.Tensor, room: int) -> None:
    """Repeat the rows of a prefilled cache for their samples, with room for new tokens.

    Parameters
    ----------
    cache : DynamicCache
        After the prefill; changed in place. Layers of other kinds (sliding windows, recurrent
        states) keep their own way of growing.
    copies : Tensor of int64, shape (samples,)
        For each sample, the row of the prompt it continues.
    room : int
        Tokens still to come.
    """
    for index, layer in enumerate(cache.layers):
        select_layer(layer, copies)
        if type(layer) is DynamicLayer and layer.is_initialized:
            cache.layers[index] = RoomyLayer(layer, room)


def select_rows(cache: DynamicCache, rows: torch.Tensor) -> None:
    """Keep these rows of every layer, dropping the sequences that are finished."""
    for layer in cache.layers:
        select_layer(layer, rows)


def select_layer(layer: Any, rows: torch.Tensor) -> None:
    """Keep these rows of one layer, whatever its kind."""
    if isinstance(layer, RoomyLayer):
        layer.select(rows)
    else:
        layer.reorder_cache(rows)
