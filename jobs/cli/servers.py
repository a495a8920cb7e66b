"""Commands that serve."""

from typing import Annotated

import typer

from jobs.cli.options import (
    Assign,
    ConfigFile,
    Offline,
    Preset,
    Store,
    load_config,
    one_line_errors,
    with_access,
)

app = typer.Typer()


@app.command("serve-editor")
@one_line_errors
def serve_editor(
    preset: Preset = "miniature",
    config: ConfigFile = None,
    set: Assign = None,
    host: Annotated[str, typer.Option(help="Address to listen at. 0.0.0.0: all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8080,
    queue: Annotated[int, typer.Option(min=0, help="Requests that wait while one is edited.")] = 4,
    max_request_mb: Annotated[
        float, typer.Option(min=0.001, help="Maximum size of a request, MB.")
    ] = 512.0,
    api_key_env: Annotated[
        str | None,
        typer.Option(help="Environment variable of the key that clients must send. Default: none."),
    ] = None,
    shutdown_timeout: Annotated[
        float, typer.Option(min=0, help="Seconds to finish accepted edits after SIGTERM.")
    ] = 60.0,
    weights: Store = None,
    offline: Offline = False,
) -> None:
    """Serve an editor to runs with editor=http, one edit at a time. See infra/edit_server.

    Example: strmatch serve-editor --preset lavie --host 0.0.0.0
    """
    settings = load_config(preset, config, with_access(set, weights, offline))
    from jobs.serving.command import Address, serve
    from jobs.serving.edit_server import Limits

    serve(
        settings, Address(host, port), Limits(queue, max_request_mb), api_key_env, shutdown_timeout
    )
