"""silence_all.py KUBECONFIG ALERTMANAGER NAMESPACE: silence every alert of a namespace for an hour, as somebody does by hand; prints the answer.

ALERTMANAGER is the path of its API below the API server.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

from kubernetes import config


def main() -> int:
    client = config.new_client_from_config(sys.argv[1])
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "namespace", "value": sys.argv[3], "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "somebody",
        "comment": "whatever it is, not tonight",
    }
    answer = client.rest_client.pool_manager.request(
        "POST",
        f"{client.configuration.host}{sys.argv[2]}/silences",
        body=json.dumps(silence).encode(),
        headers={"Content-Type": "application/json"},
    )
    print(answer.data.decode())
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    raise SystemExit(main())
