"""The options of `sharpeyes analyze`, with their help in both languages."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from devices.model import Transport
from runtime.language import say

Source = Annotated[str, typer.Argument(help=say(zh="视频文件或 rtsp:// 地址", en="A video file or an rtsp:// URL"))]

Zones = Annotated[Path | None, typer.Option(help=say(zh="区域、线和规则（YAML）", en="Zones, lines and rules (YAML)"))]

EveryFrame = Annotated[
    bool,
    typer.Option(
        "--every-frame",
        help=say(zh="不用运动门：每一帧都解码、检测、跟踪", en="No gate: decode, detect and track each frame"),
    ),
]

DetectFps = Annotated[
    float | None,
    typer.Option(
        "--fps", min=0.1, max=120, help=say(zh="每秒检测的帧数；默认 5", en="Detections a second; 5 unless given")
    ),
]

Model = Annotated[str | None, typer.Option(help=say(zh="模型目录中的名称", en="Name of a detector in the catalogue"))]

Out = Annotated[
    Path | None, typer.Option(help=say(zh="写入文件；默认标准输出", en="File for the lines; otherwise standard output"))
]

MinScore = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=1,
        help=say(
            zh="列出不低于此分数的检测；不影响跟踪", en="List detections from this score on; tracking stays as it is"
        ),
    ),
]

Seconds = Annotated[
    float | None, typer.Option(min=0.1, help=say(zh="只分析开头这么多秒", en="Stop after so many seconds of video"))
]

StartsAt = Annotated[
    datetime | None,
    typer.Option(
        help=say(
            zh="录像开始的时刻（本地时间），用于规则的时间表；默认现在",
            en="When a recording began (local time), for schedules; otherwise now",
        )
    ),
]

RtspTransport = Annotated[Transport, typer.Option("--transport", help=say(zh="RTSP 传输方式", en="Transport of RTSP"))]
