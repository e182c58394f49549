"""GStreamer's RTSP server, run by the system's Python, which alone has its bindings: see tests/servers/rtsp.py.

In: one JSON argument {"open_port", "digest_port", "basic_port", "user", "password", "mounts": [{"path", "file",
"codec", "fps", "loops", "stalls_after_s"}]}. The same mounts on three ports: without login, with digest, with basic.
"""

import json
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

ROLE = "viewer"
COPIES = 40


def launch_line(mount):
    """Byte streams loop without a seam: the parser counts time by the frame rate."""
    codec, parser, payloader = (
        ("video/x-h264", "h264parse", "rtph264pay")
        if mount["codec"] == "h264"
        else ("video/x-h265", "h265parse", "rtph265pay")
    )
    caps = f"{codec},stream-format=byte-stream,framerate={mount['fps']}/1"
    ending = "loop=true" if mount["loops"] else "loop=false stop-index=0"
    source = f'multifilesrc location="{mount["file"]}" {ending} caps="{caps}"'
    return f"( {source} ! {parser} name=parser config-interval=-1 ! {payloader} name=pay0 pt=96 )"


def stamp_and_gate(media, stalls_after_s):
    """Give frames their presentation time; from `stalls_after_s` on send nothing, yet close nothing.

    The parser only counts decoding times in a byte stream; without B-frames the two are the same.
    """
    pad = media.get_element().get_by_name("parser").get_static_pad("src")
    silent_from = None if stalls_after_s is None else stalls_after_s * Gst.SECOND

    def on_frame(_pad, info):
        frame = info.get_buffer()
        if frame.dts == Gst.CLOCK_TIME_NONE:
            frame.dts = 0  # the first frame alone
        frame.pts = frame.dts
        late = silent_from is not None and frame.dts > silent_from
        return Gst.PadProbeReturn.DROP if late else Gst.PadProbeReturn.OK

    pad.add_probe(Gst.PadProbeType.BUFFER, on_frame)


def make_factory(mount, needs_login):
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch_line(mount))
    factory.set_shared(mount["stalls_after_s"] is None and mount["loops"])
    factory.connect("media-configure", lambda _factory, media: stamp_and_gate(media, mount["stalls_after_s"]))
    if needs_login:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role(ROLE, "media.factory.access", True)
        permissions.add_permission_for_role(ROLE, "media.factory.construct", True)
        factory.set_permissions(permissions)
    return factory


def make_auth(kind, user, password):
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    if kind == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(user, password, token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    return auth


def serve(port, mounts, auth):
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    if auth:
        server.set_auth(auth)
    for mount in mounts:
        # No path below another: the server would not find /still/1 beside /still and /still-sub.
        for path in [mount["path"], *(f"{mount['path']}-{copy}" for copy in range(1, COPIES + 1))]:
            server.get_mount_points().add_factory("/" + path, make_factory(mount, auth is not None))
    if server.attach(None) == 0:
        sys.exit(f"cannot listen on port {port}")
    return server


def main():
    config = json.loads(sys.argv[1])
    Gst.init(None)
    user, password, mounts = config["user"], config["password"], config["mounts"]
    kept = [
        serve(config["open_port"], mounts, None),
        serve(config["digest_port"], mounts, make_auth("digest", user, password)),
        serve(config["basic_port"], mounts, make_auth("basic", user, password)),
    ]
    print("serving", len(mounts), "mounts on", len(kept), "ports", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
