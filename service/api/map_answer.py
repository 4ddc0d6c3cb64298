"""What layers made of a picture or a sound, written out as the client wants it; all blocks."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from service.api.cell_answer import LookedAtCell
from service.api.item import Item, open_item
from service.api.map_query import MapQuery
from service.api.map_schemas import (
    AllMapsOut,
    CellOut,
    FeatureMapOut,
    LayerMapOut,
    SoundFeatureMapOut,
)
from service.api.npy import NPY, write_npy
from service.api.state import ref
from service.contract.manifest import audio_spec
from service.tasks.catalog import ServedModel
from service.tasks.cell import parse_cell
from service.tasks.channels import parse_channels
from service.tasks.colors import fit_colormap
from service.tasks.feature_map import FeatureMap
from service.tasks.mosaic import render_mosaic
from service.tasks.sheet import render_sheet, render_strip
from service.tasks.sound_mosaic import render_sound_map
from service.tasks.sound_scene import scene_of, timeline_of
from service.tasks.thumbnail import channel_thumbnails, make_thumbnail

PNG, JSON = "image/png", "application/json"


def look(model: ServedModel, file: bytes, query: MapQuery, media_type: str) -> bytes:
    """Return the answer to the query, in the form of that media type."""
    query.check(model)  # it may be another version by now
    item = open_item(model, file, query.start_s or 0.0)
    if query.all_layers:
        return _look_at_all(item, query, media_type)
    found = model.features.compute(query.layer, item.inputs)
    channels = parse_channels(query.channels, len(found.values))
    if query.top_k is not None:
        channels = found.strongest(channels, query.top_k)
    if query.cell is None:
        return _look_at_one(item, found, channels, query, media_type)
    cell = LookedAtCell(item, found, parse_cell(query.cell, found.values.shape))
    if media_type == PNG:
        return cell.draw()
    if media_type == NPY:
        return write_npy(cell.values(channels))
    return _describe(item, found, channels, cell.describe(channels))


def _look_at_one(
    item: Item, found: FeatureMap, channels: Sequence[int], query: MapQuery, media_type: str
) -> bytes:
    if media_type == PNG:
        return _draw(item, found, channels, query)
    if media_type == NPY:
        return write_npy(found.of(channels))
    return _describe(item, found, channels, None)


def _look_at_all(item: Item, query: MapQuery, media_type: str) -> bytes:
    # reduced as they come, since all of them together may take much memory
    layers = item.model.features.compute_all(item.inputs)
    if media_type == JSON:
        rows = [LayerMapOut(**_summary(found)) for found in layers]
        return AllMapsOut(model=ref(item.model), layers=rows).model_dump_json().encode()
    thumbnails = [make_thumbnail(found) for found in layers]
    if item.window is not None:
        thumbnails = [thumbnail.upside_down for thumbnail in thumbnails]
    if query.render == "strip":
        scales = [fit_colormap(each.values, query.colormap) for each in thumbnails]
        return render_strip(thumbnails, scales)
    manifest = item.model.manifest
    return render_sheet(thumbnails, f"{manifest.name} {manifest.version}", query.colormap)


def _draw(item: Item, found: FeatureMap, channels: Sequence[int], query: MapQuery) -> bytes:
    """Return the PNG of the channels of one layer."""
    if query.render == "strip":
        scales = query.look.scales(found.values[list(channels)])
        every = scales if len(scales) == len(channels) else scales * len(channels)
        thumbnails = channel_thumbnails(found, channels)
        if item.window is not None:
            thumbnails = [thumbnail.upside_down for thumbnail in thumbnails]
        return render_strip(thumbnails, every)
    if item.window is not None:
        row, spec = item.model.features.row(found.tap), audio_spec(item.model.manifest)
        scene = scene_of(row, item.window, spec)
        if scene is not None:
            return render_sound_map(found.values, channels, found.tap.name, scene, query.look)
    return render_mosaic(found.values, channels, found.tap.name, query.look)


def _describe(
    item: Item, found: FeatureMap, channels: Sequence[int], cell: CellOut | None
) -> bytes:
    """Return the JSON of FeatureMapOut or SoundFeatureMapOut."""
    described = {
        **_summary(found),
        "model": ref(item.model),
        "channels": [asdict(figures) for figures in found.statistics(channels)],
        "cell": cell,
    }
    if item.window is None:
        return FeatureMapOut.model_validate(described).model_dump_json().encode()
    spec = audio_spec(item.model.manifest)
    timeline = timeline_of(item.model.features.row(found.tap), item.window, spec)
    figures = SoundFeatureMapOut.model_validate(
        {
            **described,
            "start_s": item.window.start / spec.sample_rate_hz,
            "duration_s": spec.window_samples / spec.sample_rate_hz,
            "first_cell_s": timeline.first_s if timeline else None,
            "seconds_per_cell": timeline.cell_s if timeline else None,
        }
    )
    return figures.model_dump_json().encode()


def _summary(found: FeatureMap) -> dict[str, Any]:
    """Return the fields of LayerMapOut."""
    tap = found.tap
    return {
        "layer": tap.name,
        "op": tap.op,
        "shape": found.values.shape,
        "stride": tap.stride,
        "receptive_field": tap.receptive_field,
        "dead_channel_share": found.dead_channel_share,
        **asdict(found.figures()),
    }
