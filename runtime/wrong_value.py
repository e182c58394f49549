"""What pydantic says of a wrong value, in the language of this process. Pure.

In Chinese the words are ours, by pydantic's kinds of error; a kind that is not known here stays in pydantic's English.
"""

from pydantic_core import ErrorDetails

from runtime.language import LANGUAGE

_ZH = {
    "bool_parsing": "须为 true 或 false",
    "bool_type": "须为 true 或 false",
    "dict_type": "须为一组名称和值",
    "enum": "须为以下之一：{expected}",
    "extra_forbidden": "没有这一项",
    "finite_number": "须为有限的数字",
    "float_parsing": "须为数字",
    "float_type": "须为数字",
    "greater_than": "须大于 {gt}",
    "greater_than_equal": "不得小于 {ge}",
    "int_from_float": "须为整数",
    "int_parsing": "须为整数",
    "int_parsing_size": "数字过大",
    "int_type": "须为整数",
    "less_than": "须小于 {lt}",
    "less_than_equal": "不得大于 {le}",
    "literal_error": "须为以下之一：{expected}",
    "missing": "缺少这一项",
    "model_type": "须为一组名称和值",
    "path_type": "须为路径",
    "string_pattern_mismatch": "格式不正确",
    "string_too_long": "最多 {max_length} 个字符",
    "string_too_short": "至少 {min_length} 个字符",
    "string_type": "须为文字",
    "too_long": "最多 {max_length} 项",
    "too_short": "至少 {min_length} 项",
    "tuple_type": "须为列表",
}


def wrong_value(problem: ErrorDetails) -> str:
    """Why the value of `problem` is refused; the words of a validator of ours are passed on as they are."""
    if problem["type"] == "value_error":
        return problem["msg"].removeprefix("Value error, ")
    words = _ZH.get(problem["type"]) if LANGUAGE == "zh" else None
    if words is None:
        return problem["msg"]
    limits = {name: str(limit).replace(" or ", " 或 ") for name, limit in problem.get("ctx", {}).items()}
    return words.format_map(limits)
