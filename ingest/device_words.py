"""Why a call box or sensor is in its state, in both languages, for installers and operators. Pure."""

from alerts.contract import Text

READY = Text(zh="正常", en="works")
NEVER_SEEN = Text(
    zh="登记后从未上线；请检查电源、网络和设备编号",
    en="never seen since it was registered; check power, network and device id",
)
LOST = Text(
    zh="与设备的连接中断；请检查电源和网络", en="the connection to the device broke; check its power and network"
)
DATA_MISSING = Text(zh="传感器长时间没有数据", en="the sensor has sent no data for too long")


def battery_low(level: float) -> Text:
    """The battery is nearly empty; `level` from 0 to 1."""
    return Text(zh=f"电量低（{level:.0%}），请更换电池", en=f"battery low ({level:.0%}), replace it")


def bad_message(reason: str) -> Text:
    """The device sent something that breaks the contract."""
    return Text(
        zh=f"设备发来的消息不符合约定：{reason}", en=f"the device sent a message that breaks the contract: {reason}"
    )
