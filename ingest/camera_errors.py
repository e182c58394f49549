"""Why a camera gives no usable picture: one stable code each, what happened, and what an installer checks next.

`CameraError` carries the problem; its text is in the language of the process and never holds a URL or a login.
"""

from dataclasses import dataclass
from enum import StrEnum

from alerts.contract import Text
from runtime.errors import SharpEyesError
from runtime.language import say


class ProblemCode(StrEnum):
    """Stable: programs see these on the device-state topic and in metrics."""

    HOST_UNKNOWN = "host_unknown"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    LOGIN_MISSING = "login_missing"
    LOGIN_REFUSED = "login_refused"
    LOGIN_TOO_LONG = "login_too_long"
    LOGIN_UNREADABLE = "login_unreadable"
    NOT_FOUND = "not_found"
    TRANSPORT_REFUSED = "transport_refused"
    NOT_RTSP = "not_rtsp"
    SERVER_ERROR = "server_error"
    NO_ANSWER = "no_answer"
    BAD_ANSWER = "bad_answer"
    NOT_VIDEO = "not_video"
    CODEC_UNSUPPORTED = "codec_unsupported"
    PARAMETER_SETS_MISSING = "parameter_sets_missing"
    NO_KEY_FRAME = "no_key_frame"
    NO_MEDIA = "no_media"
    TOO_LARGE = "too_large"
    STOPPED_SENDING = "stopped_sending"
    CLOSED_BY_CAMERA = "closed_by_camera"
    GARBAGE = "garbage"
    UNSTABLE = "unstable"
    NO_FILE = "no_file"
    BAD_ADDRESS = "bad_address"
    ANALYSIS_FAILED = "analysis_failed"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong and what to check next. `detail` is a short technical addition, such as a codec's name."""

    code: ProblemCode
    detail: str = ""

    @property
    def what(self) -> Text:
        """What happened, in one sentence."""
        zh, en, _, _ = _WORDS[self.code]
        return Text(zh=zh + (f"({self.detail})" if self.detail else ""), en=en + self._detail_en())

    @property
    def check_next(self) -> Text:
        """What to check next, in one sentence."""
        _, _, zh, en = _WORDS[self.code]
        return Text(zh=zh, en=en)

    @property
    def reason(self) -> Text:
        """Both sentences."""
        what, check = self.what, self.check_next
        return Text(zh=f"{what.zh}。{check.zh}。", en=f"{what.en}. {check.en}.")

    def _detail_en(self) -> str:
        return f" ({self.detail})" if self.detail else ""


class CameraError(SharpEyesError):
    """A session with a camera could not begin or could not go on; `problem` says why."""

    def __init__(self, code: ProblemCode, detail: str = "") -> None:
        self.problem = Problem(code, detail)
        reason = self.problem.reason
        super().__init__(say(zh=reason.zh, en=reason.en))


_WORDS: dict[ProblemCode, tuple[str, str, str, str]] = {
    ProblemCode.HOST_UNKNOWN: (
        "找不到这个主机名",
        "The host name is not known",
        "检查地址是否写错，或改用 IP 地址",
        "Check the address for typing errors, or use the IP address",
    ),
    ProblemCode.UNREACHABLE: (
        "连不上摄像头，网络不通",
        "The camera cannot be reached over the network",
        "检查供电、网线和 IP 地址，并确认本机与摄像头在互通的网段",
        "Check power, cable and IP address, and that this machine and the camera share a network",
    ),
    ProblemCode.REFUSED: (
        "设备的这个端口没有开放",
        "Nothing listens on this port of the device",
        "检查端口号（通常是 554），并在摄像头设置中启用 RTSP",
        "Check the port (usually 554) and switch RTSP on in the camera's settings",
    ),
    ProblemCode.LOGIN_MISSING: (
        "摄像头要求登录",
        "The camera asks for a login",
        "填写摄像头的用户名和密码",
        "Give the camera's user name and password",
    ),
    ProblemCode.LOGIN_REFUSED: (
        "摄像头拒绝了用户名或密码",
        "The camera refused the user name or password",
        "核对用户名和密码；多次输错后摄像头可能锁定几分钟",
        "Check both; after several wrong tries many cameras lock the account for some minutes",
    ),
    ProblemCode.LOGIN_TOO_LONG: (
        "用户名和密码过长",
        "User name and password are too long",
        "两者合计不超过 126 个字母（汉字和符号占得更多），请在摄像头上改短",
        "Together they may take 126 letters (other characters count more); choose shorter ones on the camera",
    ),
    ProblemCode.LOGIN_UNREADABLE: (
        "登记的用户名和密码无法解密",
        "The registered login cannot be decrypted",
        "恢复原来的密钥文件并重新启动，或重新登记这台摄像头的密码",
        "Put the old key file back and start again, or register this camera's login again",
    ),
    ProblemCode.NOT_FOUND: (
        "摄像头没有这个码流路径",
        "The camera has no stream under this path",
        "按厂家说明检查 URL 中端口后面的路径",
        "Check the part of the URL behind the port against the maker's manual",
    ),
    ProblemCode.TRANSPORT_REFUSED: (
        "摄像头不接受这种传输方式",
        "The camera does not accept this transport",
        "在 TCP 与 UDP 之间换一种再试",
        "Try the other one of TCP and UDP",
    ),
    ProblemCode.NOT_RTSP: (
        "对方有应答，但不是 RTSP",
        "Something answers, but it does not speak RTSP",
        "可能填成了网页端口（如 80）,RTSP 通常是 554",
        "This may be the port of the web page (such as 80); RTSP is usually 554",
    ),
    ProblemCode.SERVER_ERROR: (
        "摄像头回答内部错误",
        "The camera answers with an error of its own",
        "重启摄像头；可能同时观看的人过多",
        "Restart the camera; too many viewers at once may also be the cause",
    ),
    ProblemCode.NO_ANSWER: (
        "连接已建立，但摄像头没有应答",
        "The connection stands, but the camera does not answer",
        "重启摄像头，并检查端口是否正确",
        "Restart the camera and check the port",
    ),
    ProblemCode.BAD_ANSWER: (
        "摄像头的应答不合规范，无法理解",
        "The camera's answers make no sense",
        "检查 URL 的路径；重启摄像头或升级固件",
        "Check the path of the URL; restart the camera or update its firmware",
    ),
    ProblemCode.NOT_VIDEO: (
        "这个地址没有视频",
        "There is no video at this address",
        "检查 URL，确认选择的是视频码流而不是音频或其他数据",
        "Check that the URL names a video stream and not audio or other data",
    ),
    ProblemCode.CODEC_UNSUPPORTED: (
        "不支持这种视频编码",
        "This video codec is not supported",
        "在摄像头设置中把编码改为 H.264 或 H.265",
        "Set the camera's encoding to H.264 or H.265",
    ),
    ProblemCode.PARAMETER_SETS_MISSING: (
        "码流缺少解码参数集（SPS/PPS,H.265 还有 VPS）",
        "The stream lacks its parameter sets (SPS and PPS, for H.265 also VPS), so nobody can decode it",
        "重启摄像头或升级固件；把编码改为 H.264 通常有效",
        "Restart the camera or update its firmware; H.264 usually works",
    ),
    ProblemCode.NO_KEY_FRAME: (
        "有数据，但一直没有关键帧",
        "Data arrives, but no key frame",
        "在摄像头设置中把关键帧（I 帧）间隔设为 2 至 4 秒",
        "Set the camera's key frame (I frame) interval to 2 to 4 seconds",
    ),
    ProblemCode.NO_MEDIA: (
        "摄像头接受了请求，但没有发来视频数据",
        "The camera accepted the request, but no video data arrives",
        "用 UDP 时检查防火墙，或改用 TCP",
        "With UDP, check the firewall, or use TCP",
    ),
    ProblemCode.TOO_LARGE: (
        "画面或数据超出可处理的大小",
        "The picture or a packet is larger than can be handled",
        "在摄像头设置中降低分辨率或码率",
        "Lower the resolution or bit rate in the camera's settings",
    ),
    ProblemCode.STOPPED_SENDING: (
        "摄像头不再发送数据，但没有断开连接",
        "The camera stopped sending without closing the connection",
        "检查网络质量和供电；系统会自动重连",
        "Check network quality and power; the system reconnects by itself",
    ),
    ProblemCode.CLOSED_BY_CAMERA: (
        "摄像头断开了连接",
        "The camera closed the connection",
        "若频繁出现，检查同时观看的人数和网络",
        "If this repeats, check the number of viewers and the network",
    ),
    ProblemCode.GARBAGE: (
        "收到的数据无法解码",
        "The data that arrives cannot be decoded",
        "检查网络丢包；用 UDP 时改用 TCP；仍不行则重启摄像头",
        "Check for packet loss; with UDP, use TCP; otherwise restart the camera",
    ),
    ProblemCode.UNSTABLE: (
        "摄像头反复断线重连",
        "The camera keeps disconnecting",
        "检查供电和网络；可能有其他系统占用了连接数",
        "Check power and network; another system may be using up the camera's connections",
    ),
    ProblemCode.NO_FILE: (
        "文件不存在或无法读取",
        "The file does not exist or cannot be read",
        "检查文件路径和读取权限",
        "Check the path and the permission to read it",
    ),
    ProblemCode.BAD_ADDRESS: (
        "地址格式不正确",
        "The address is not well formed",
        "使用 rtsp://主机：554/路径，用户名和密码单独填写",
        "Use rtsp://HOST:554/PATH, and give the login separately",
    ),
    ProblemCode.ANALYSIS_FAILED: (
        "画面正常，但分析画面时程序出错，暂时不会产生告警",
        "Video comes in, but analysing this camera's pictures fails, so it raises no alerts for now",
        "查看日志中的原因；如果更换过检测模型，请为这路摄像头改用其他模型",
        "Look into the log for the cause; if it has a detector of its own, choose another model for this camera",
    ),
    ProblemCode.INTERNAL: (
        "处理码流时程序出错",
        "The program failed while handling the stream",
        "系统会自动重试；请把日志交给开发者",
        "It tries again by itself; please send the log to the developers",
    ),
}
