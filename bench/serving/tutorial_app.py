"""A server as tutorials write it: FastAPI, `async def` with an UploadFile, the session's defaults.

That is the form found most often: the endpoint awaits the upload, then decodes and runs the
model right there on the event loop. Only decoding and resizing are ours, so that the pixels
are those of every other contestant.
"""

from typing import Any

from fastapi import FastAPI, File, UploadFile

from bench.serving.pipeline import Pipeline, model_folder, open_session

app = FastAPI()
pipeline = Pipeline(model_folder(), open_session(model_folder()))


@app.post("/predict")
async def predict(file: UploadFile = File(...)) -> dict[str, Any]:  # noqa: B008
    """Classify the uploaded picture."""
    data = await file.read()
    probabilities = pipeline.run(pipeline.prepare(data)[None])
    return pipeline.answer(probabilities[0])
