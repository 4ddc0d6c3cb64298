"""A server as tutorials write it, given a tensor: FastAPI and the session's defaults."""

import numpy as np
from fastapi import FastAPI, File, UploadFile

from bench.inferring.tensors import WORKLOAD
from bench.serving.pipeline import model_folder, open_session

app = FastAPI()
session = open_session(model_folder())
_ROW = (WORKLOAD.size, WORKLOAD.size, 3)


@app.post("/predict")
async def predict(file: UploadFile = File(...)) -> list[list[float]]:  # noqa: B008
    """Run the uploaded tensor."""
    images = np.frombuffer(await file.read(), np.uint8).reshape(-1, *_ROW)
    (probabilities,) = session.run(["probabilities"], {"images": images})
    return probabilities.tolist()
