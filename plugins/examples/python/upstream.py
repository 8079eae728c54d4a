"""GET requests through `wasi:http`, the only network there is.

An upstream is addressed by its name in plugin.toml; the host knows where it is. A request that plugin.toml does not allow ends the
call: nothing here learns of it.
"""

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, streams
from wit_world.imports import wasi_http_types as http

from failure import ToolFailure

CHUNK = 64 * 1024


def get(upstream: str, path: str) -> tuple[int, bytes]:
    """The status and the body of what the upstream answers."""
    request = http.OutgoingRequest(http.Fields.from_list([("accept", b"application/json")]))
    request.set_method(http.Method_Get())
    request.set_scheme(http.Scheme_Https())
    request.set_authority(upstream)
    request.set_path_with_query(path)
    http.OutgoingBody.finish(request.body(), None)
    with outgoing_handler.handle(request, None) as future:
        with future.subscribe() as pollable:
            pollable.block()
        match future.get():
            case Ok(Ok(response)):
                with response:
                    return response.status(), read(response)
            case _:
                raise ToolFailure("UNAVAILABLE", f"the upstream {upstream} cannot be reached")


def read(response: http.IncomingResponse) -> bytes:
    """The whole body; the host has bounded it."""
    body = bytearray()
    with response.consume() as incoming, incoming.stream() as stream:
        while True:
            try:
                body += stream.blocking_read(CHUNK)
            except Err as error:
                if isinstance(error.value, streams.StreamError_Closed):
                    return bytes(body)
                raise ToolFailure("UNAVAILABLE", "the answer ended too early") from error
