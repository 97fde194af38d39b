"""Ask the service in this container whether it is ready, at the port and by the protocol that its environment sets."""

import http.client
import os
import ssl

port = int(os.environ.get("EMOVOX_SERVE_PORT", "8000"))
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
if os.environ.get("EMOVOX_SERVE_SSL_CERT"):
    anybody = ssl.create_default_context()  # the certificate is for the name that clients use, not for 127.0.0.1
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=4, context=anybody)
connection.request("GET", "/healthz")
raise SystemExit(connection.getresponse().status != 200)
