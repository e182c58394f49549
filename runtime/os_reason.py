"""Why the operating system refused, in the language of this process. Pure; raises nothing."""

import errno
import os
from collections.abc import Mapping

from runtime.language import say

_CHINESE: Mapping[int, str] = {
    errno.EADDRINUSE: "地址或端口已被占用",
    errno.EADDRNOTAVAIL: "本机没有这个地址",
    errno.ENOENT: "文件或目录不存在",
    errno.EACCES: "没有权限",
    errno.EPERM: "不允许此操作",
    errno.EROFS: "文件系统是只读的",
    errno.ENOSPC: "磁盘空间已满",
    errno.EDQUOT: "超出磁盘配额",
    errno.EISDIR: "这是一个目录",
    errno.ENOTDIR: "路径中有一段不是目录",
    errno.EEXIST: "已经存在",
    errno.ENAMETOOLONG: "名称太长",
    errno.EMFILE: "打开的文件过多",
    errno.ECONNREFUSED: "连接被拒绝",
    errno.ECONNRESET: "连接被对方断开",
    errno.EHOSTUNREACH: "主机不可达",
    errno.ENETUNREACH: "网络不可达",
    errno.ETIMEDOUT: "连接超时",
}


def os_reason(error: OSError) -> str:
    """The reason in words; the system's own where there is no Chinese for it, the type's name where it gives none."""
    own = error.strerror or type(error).__name__
    if error.errno is None:
        return own
    plain = os.strerror(error.errno) if error.errno in errno.errorcode else own
    return say(zh=_CHINESE.get(error.errno, own), en=plain)
