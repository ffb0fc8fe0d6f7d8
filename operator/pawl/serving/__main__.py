"""`python -m pawl.serving`: the server pod. Settings come from the environment."""

import os

# Before numpy and onnxruntime are loaded: a second thread costs more than it brings here.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from pawl.serving.main import main  # noqa: E402 - see above

if __name__ == "__main__":
    main()
