"""The little of ksqlDB's SQL that its double understands: types, and SELECT ... FROM one source [WHERE] [EMIT CHANGES] [LIMIT].

Whatever else is asked is a StatementError, never half an answer.
"""
import operator
import re
from decimal import Context, Decimal

EXACT = Context(prec=60)
PSEUDO = {"ROWTIME": "BIGINT", "ROWPARTITION": "INTEGER", "ROWOFFSET": "BIGINT"}
KEYWORDS = {"SELECT", "FROM", "WHERE", "EMIT", "LIMIT", "AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "TRUE", "FALSE", "AS", "LIKE",
            "GROUP", "JOIN", "WINDOW", "PARTITION", "HAVING", "CASE", "INNER", "LEFT", "RIGHT", "FULL", "OUTER", "ON", "INTO", "ORDER"}
TOKEN = re.compile(r"\s+|--[^\n]*|(?P<quoted>`(?:[^`]|``)*`)|(?P<string>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
                   r"|(?P<word>[A-Za-z_@][A-Za-z0-9_]*)|(?P<sign><>|!=|<=|>=|->|=>|[-+*/%(),.;=<>\[\]{}:|\"$])")


class StatementError(Exception):
    """What the server answers as a statement_error; `code` is its error_code."""

    def __init__(self, message, code=40001):
        super().__init__(message)
        self.message, self.code = message, code


def tokens_of(text):
    out, at = [], 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise syntax(text, at)
        if found.lastgroup:
            out.append((found.lastgroup, found.group(), at))
        at = found.end()
    return [*out, ("end", "", len(text))]


def syntax(text, at):
    before = text[:at]
    line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
    return StatementError(f"line {line}:{column}: Syntax Error\n\nStatement: {text}")


class Cursor:
    def __init__(self, text):
        self.text, self.tokens, self.at = text, tokens_of(text), 0

    def peek(self, ahead=0):
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def fail(self):
        return syntax(self.text, self.peek()[2])

    def sign(self, *signs):
        kind, value, _ = self.peek()
        if kind == "sign" and value in signs:
            self.at += 1
            return value
        return None

    def word(self, *words):
        kind, value, _ = self.peek()
        if kind == "word" and value.upper() in words:
            self.at += 1
            return value.upper()
        return None

    def need_sign(self, sign):
        if not self.sign(sign):
            raise self.fail()

    def need_word(self, word):
        if not self.word(word):
            raise self.fail()

    def name(self):
        """An identifier: in upper case, unless quoted."""
        kind, value, _ = self.peek()
        if kind == "quoted":
            self.at += 1
            return value[1:-1].replace("``", "`")
        if kind == "word" and value.upper() not in KEYWORDS:
            self.at += 1
            return value.upper()
        raise self.fail()


# ---- types ----------------------------------------------------------------------------------------------------------
BASES = {"BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "STRING", "BYTES", "DATE", "TIME", "TIMESTAMP"}


def parse_type(text):
    """"ARRAY<STRUCT<`A` BIGINT>>" as ("ARRAY", ("STRUCT", (("A", ("BIGINT",)),)))."""
    cursor = Cursor(text)
    out = read_type(cursor)
    if cursor.peek()[0] != "end":
        raise cursor.fail()
    return out


def read_type(cursor):
    kind, value, _ = cursor.peek()
    word = value.upper() if kind == "word" else None
    cursor.at += 1
    if word in BASES:
        return (word,)
    if word in ("INT", "VARCHAR"):
        return ("INTEGER" if word == "INT" else "STRING",)
    if word == "DECIMAL":
        cursor.need_sign("(")
        precision = cursor.peek()[1]
        cursor.at += 1
        cursor.need_sign(",")
        scale = cursor.peek()[1]
        cursor.at += 1
        cursor.need_sign(")")
        return ("DECIMAL", int(precision), int(scale))
    if word == "ARRAY":
        cursor.need_sign("<")
        item = read_type(cursor)
        cursor.need_sign(">")
        return ("ARRAY", item)
    if word == "MAP":
        cursor.need_sign("<")
        key = read_type(cursor)
        cursor.need_sign(",")
        value = read_type(cursor)
        cursor.need_sign(">")
        return ("MAP", key, value)
    if word == "STRUCT":
        cursor.need_sign("<")
        fields = []
        while not cursor.sign(">"):
            if fields:
                cursor.need_sign(",")
            name = cursor.name()
            fields.append((name, read_type(cursor)))
        return ("STRUCT", tuple(fields))
    cursor.at -= 1
    raise cursor.fail()


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def type_text(kind):
    """As ksqlDB writes it in a header's schema."""
    if kind[0] == "DECIMAL":
        return f"DECIMAL({kind[1]}, {kind[2]})"
    if kind[0] == "ARRAY":
        return f"ARRAY<{type_text(kind[1])}>"
    if kind[0] == "MAP":
        return f"MAP<{type_text(kind[1])}, {type_text(kind[2])}>"
    if kind[0] == "STRUCT":
        return "STRUCT<" + ", ".join(f"{quoted(n)} {type_text(t)}" for n, t in kind[1]) + ">"
    return kind[0]


def type_json(kind):
    """As DESCRIBE has it."""
    out = {"type": kind[0], "fields": None, "memberSchema": None}
    if kind[0] == "DECIMAL":
        out["parameters"] = {"precision": kind[1], "scale": kind[2]}
    elif kind[0] == "ARRAY":
        out["memberSchema"] = type_json(kind[1])
    elif kind[0] == "MAP":
        out["memberSchema"] = type_json(kind[2])
    elif kind[0] == "STRUCT":
        out["fields"] = [{"name": n, "schema": type_json(t)} for n, t in kind[1]]
    return out


def coerced(value, kind):
    """What a value from JSON is in the double's memory: Decimal for DECIMAL, float for DOUBLE, members in the type's order."""
    if value is None:
        return None
    base = kind[0]
    if base == "DECIMAL":
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-kind[2]), context=EXACT)
    if base == "DOUBLE":
        return float(value)
    if base == "ARRAY":
        return [coerced(v, kind[1]) for v in value]
    if base == "MAP":
        return {k: coerced(v, kind[2]) for k, v in value.items()}
    if base == "STRUCT":
        return {n: coerced(value.get(n), t) for n, t in kind[1]}
    return value


# ---- SELECT ---------------------------------------------------------------------------------------------------------
class Select:
    """items: None for *, else [(column, alias)]; where: nullable, a tree; source; emit; limit."""

    def __init__(self):
        self.items, self.source, self.alias, self.where, self.emit, self.limit = [], None, None, None, False, None
        self.where_columns = []


def parse_select(text):
    cursor, out = Cursor(text), Select()
    cursor.need_word("SELECT")
    if cursor.sign("*"):
        out.items = None
    else:
        while True:
            column = read_column(cursor)
            alias = cursor.name() if cursor.word("AS") else column[1]
            out.items.append((column, alias))
            if not cursor.sign(","):
                break
    cursor.need_word("FROM")
    out.source = cursor.name()
    if cursor.word("AS") or cursor.peek()[0] == "quoted" or (cursor.peek()[0] == "word" and cursor.peek()[1].upper() not in KEYWORDS):
        out.alias = cursor.name()
    if cursor.word("WHERE"):
        out.where = read_or(cursor, out)
    if cursor.word("EMIT"):
        cursor.need_word("CHANGES")
        out.emit = True
    if cursor.word("LIMIT"):
        kind, value, _ = cursor.peek()
        if kind != "number" or not value.isdigit():
            raise cursor.fail()
        cursor.at += 1
        out.limit = int(value)
    cursor.sign(";")
    if cursor.peek()[0] != "end":
        raise cursor.fail()
    return out


def read_column(cursor):
    """(qualifier or None, name)"""
    first = cursor.name()
    if cursor.sign("."):
        return first, cursor.name()
    return None, first


def read_or(cursor, out):
    left = read_and(cursor, out)
    while cursor.word("OR"):
        left = ("or", left, read_and(cursor, out))
    return left


def read_and(cursor, out):
    left = read_not(cursor, out)
    while cursor.word("AND"):
        left = ("and", left, read_not(cursor, out))
    return left


def read_not(cursor, out):
    if cursor.word("NOT"):
        return ("not", read_not(cursor, out))
    if cursor.sign("("):
        inner = read_or(cursor, out)
        cursor.need_sign(")")
        return inner
    left = read_operand(cursor, out)
    if cursor.word("IS"):
        negated = bool(cursor.word("NOT"))
        cursor.need_word("NULL")
        return ("null", left, negated)
    negated = bool(cursor.word("NOT"))
    if cursor.word("IN"):
        cursor.need_sign("(")
        values = [read_operand(cursor, out)]
        while cursor.sign(","):
            values.append(read_operand(cursor, out))
        cursor.need_sign(")")
        tree = ("in", left, values)
    elif cursor.word("BETWEEN"):
        low = read_operand(cursor, out)
        cursor.need_word("AND")
        high = read_operand(cursor, out)
        tree = ("and", (">=", left, low), ("<=", left, high))
    elif not negated and (sign := cursor.sign("=", "<>", "!=", "<", "<=", ">", ">=")):
        tree = (sign, left, read_operand(cursor, out))
    else:
        raise cursor.fail()
    return ("not", tree) if negated else tree


def read_operand(cursor, out):
    kind, value, _ = cursor.peek()
    negative = bool(cursor.sign("-"))
    if negative:
        kind, value, _ = cursor.peek()
        if kind != "number":
            raise cursor.fail()
    if kind == "number":
        cursor.at += 1
        number = int(value) if value.isdigit() else Decimal(value)
        return ("literal", -number if negative else number)
    if kind == "string":
        cursor.at += 1
        return ("literal", value[1:-1].replace("''", "'"))
    if word := cursor.word("TRUE", "FALSE", "NULL"):
        return ("literal", {"TRUE": True, "FALSE": False, "NULL": None}[word])
    column = read_column(cursor)
    out.where_columns.append(column)
    return ("column", column)


SIGNS = {"=": operator.eq, "<>": operator.ne, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def predicate(tree, getter):
    """A function of a record: True, False, or None for unknown. getter(column) gives the function that reads one."""
    kind = tree[0]
    if kind == "literal":
        return lambda _, value=tree[1]: value
    if kind == "column":
        return getter(tree[1])
    if kind in ("and", "or"):
        left, right = predicate(tree[1], getter), predicate(tree[2], getter)
        if kind == "and":
            return lambda r: left(r) and right(r)
        return lambda r: left(r) or right(r)
    if kind == "not":
        inner = predicate(tree[1], getter)
        return lambda r: None if (v := inner(r)) is None else not v
    if kind == "null":
        inner, negated = predicate(tree[1], getter), tree[2]
        return lambda r: (inner(r) is None) != negated
    if kind == "in":
        left, values = predicate(tree[1], getter), [predicate(v, getter) for v in tree[2]]
        return lambda r: None if (v := left(r)) is None else any(v == f(r) for f in values)
    left, right, compare = predicate(tree[1], getter), predicate(tree[2], getter), SIGNS[kind]

    def compared(record):
        a, b = left(record), right(record)
        return None if a is None or b is None else compare(a, b)
    return compared
