"""tuneclip's encoder as `index` uses it, made ready beforehand as it is kept beside a model."""

import tuneclip

from .worker import PHRASE, read_job, work

if __name__ == "__main__":
    job = read_job()
    encoder = tuneclip.open_model(job.model)
    work(job, ("tuneclip", "onnxruntime"), lambda: encoder.texts([PHRASE]), lambda: encoder.pictures(job.paths))
