"""How is a match said in words?"""

from collections.abc import Iterator

from stopgap.ruleset.model import Expr

JOINED = {"all": "and", "any": "or"}
WIDEST = 96


def written(expr: Expr) -> str:
    """An expression on one line: `extension is ida or idq and not (query length over 200)`."""
    for key, word in JOINED.items():
        if key in expr:
            return "(" + f" {word} ".join(written(part) for part in expr[key]) + ")"
    if "not" in expr:
        return f"not {written(expr['not'])}"
    if "same" in expr:
        return f"one {expr['field']} whose " + " and ".join(
            written({**part, "field": part["on"]}) for part in expr["same"]
        )
    what = f"{expr['field']} {expr['name']}" if "name" in expr else expr["field"]
    if "value" in expr:
        return f"{what} {expr['test']} " + " or ".join(map(repr, expr["value"]))
    bound = "over" if "over" in expr else "under"
    return f"{what} {expr['test']} {bound} {expr[bound]}"


def outline(expr: Expr, depth: int = 0) -> Iterator[str]:
    """The same, one line for each part of what is too long for one line."""
    indent = "  " * depth
    line = written(expr)
    for key, word in (("all", "all of"), ("any", "any of"), ("not", "not")):
        if key in expr and (len(line) + len(indent) > WIDEST):
            yield f"{indent}{word}"
            for part in [expr[key]] if key == "not" else expr[key]:
                yield from outline(part, depth + 1)
            return
    if "value" in expr and len(line) + len(indent) > WIDEST:
        yield indent + written({**expr, "value": expr["value"][:1]})
        for value in expr["value"][1:]:
            yield f"{indent}  or {value!r}"
        return
    yield indent + (line[1:-1] if "all" in expr or "any" in expr else line)
