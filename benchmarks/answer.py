"""What pods of the router benchmark say to everything."""

import json

ANSWER = json.dumps(
    {
        "model_name": "churn",
        "outputs": [{"name": "label", "shape": [1], "datatype": "BYTES", "data": ["yes"]}],
    }
).encode()
