"""The double's scenarios: "seed" (a shop's transactions: four streams, four tables), "types" (a stream and a table with every type), "empty".

All is made from a seed and a day, so that two runs have the same rows. Event days go back from today for 400 days (most of them recent), some
for 760, so that retention of 365 and of 730 days has something to do.
"""
import base64
import datetime
import hashlib
import random
import time
from decimal import Decimal

DAY_MS = 86_400_000
STREAMS = ["TRANSACTION_STREAM", "TRANSACTION_FLATTENED", "TRANSACTION_STREAM_ANONYMIZED", "TRANSACTION_STREAM_BLACKLISTED"]
TABLES = ["USER_TRANSACTION_SUMMARY", "USER_TRANSACTION_SUMMARY_EUR", "PAYMENT_METHOD_TOTALS", "PRODUCT_PURCHASE_COUNTS"]
COLUMNS = {
    "TRANSACTION_STREAM": [
        ("TRANSACTION_ID", "STRING", "KEY"), ("USER_ID", "STRING"), ("CUSTOMER", "STRUCT<`NAME` STRING, `EMAIL` STRING, `CITY` STRING, `COUNTRY` STRING>"),
        ("AMOUNT", "DECIMAL(10, 2)"), ("CURRENCY", "STRING"), ("PAYMENT_METHOD", "STRING"),
        ("PRODUCTS", "ARRAY<STRUCT<`PRODUCT_ID` STRING, `NAME` STRING, `QUANTITY` INTEGER, `PRICE` DECIMAL(10, 2)>>"), ("STATUS", "STRING"), ("EVENT_TIME", "TIMESTAMP")],
    "TRANSACTION_FLATTENED": [
        ("TRANSACTION_ID", "STRING", "KEY"), ("USER_ID", "STRING"), ("PRODUCT_ID", "STRING"), ("PRODUCT_NAME", "STRING"), ("QUANTITY", "INTEGER"), ("PRICE", "DECIMAL(10, 2)"),
        ("LINE_TOTAL", "DECIMAL(12, 2)"), ("CURRENCY", "STRING"), ("PAYMENT_METHOD", "STRING"), ("CITY", "STRING"), ("COUNTRY", "STRING"), ("EVENT_TIME", "TIMESTAMP")],
    "TRANSACTION_STREAM_ANONYMIZED": [
        ("TRANSACTION_ID", "STRING", "KEY"), ("USER_HASH", "STRING"), ("COUNTRY", "STRING"), ("AMOUNT", "DECIMAL(10, 2)"), ("CURRENCY", "STRING"), ("PAYMENT_METHOD", "STRING"),
        ("STATUS", "STRING"), ("EVENT_TIME", "TIMESTAMP")],
    "TRANSACTION_STREAM_BLACKLISTED": [
        ("TRANSACTION_ID", "STRING", "KEY"), ("USER_ID", "STRING"), ("AMOUNT", "DECIMAL(10, 2)"), ("CURRENCY", "STRING"), ("PAYMENT_METHOD", "STRING"), ("REASON", "STRING"),
        ("EVENT_TIME", "TIMESTAMP")],
    "USER_TRANSACTION_SUMMARY": [("USER_ID", "STRING", "KEY"), ("TRANSACTION_COUNT", "BIGINT"), ("TOTAL_AMOUNT", "DECIMAL(18, 2)"), ("MAX_AMOUNT", "DECIMAL(10, 2)"), ("LAST_TRANSACTION", "TIMESTAMP")],
    "USER_TRANSACTION_SUMMARY_EUR": [("USER_ID", "STRING", "KEY"), ("TRANSACTION_COUNT", "BIGINT"), ("TOTAL_AMOUNT_EUR", "DECIMAL(18, 2)"), ("AVERAGE_AMOUNT_EUR", "DOUBLE")],
    "PAYMENT_METHOD_TOTALS": [("PAYMENT_METHOD", "STRING", "KEY"), ("TRANSACTION_COUNT", "BIGINT"), ("TOTAL_AMOUNT", "DECIMAL(18, 2)")],
    "PRODUCT_PURCHASE_COUNTS": [("PRODUCT_ID", "STRING", "KEY"), ("PRODUCT_NAME", "STRING"), ("PURCHASE_COUNT", "BIGINT"), ("TOTAL_QUANTITY", "BIGINT")],
}
FIRST = ["Léa", "Hugo", "Chloé", "Jules", "Inès", "Karim", "Sofia", "Ahmed", "Nora", "Lukas", "Emma", "Mateo", "Aïcha", "Paul", "Zoë", "Yann"]
LAST = ["Martin", "Bernard", "Dubois", "Lefèvre", "Garcia", "Müller", "Rossi", "Nguyen", "Benali", "Petit", "O'Neil", "Silva"]
CITIES = [("Paris", "FR"), ("Lyon", "FR"), ("Bruxelles", "BE"), ("Genève", "CH"), ("Berlin", "DE"), ("Madrid", "ES"), ("Montréal", "CA"), ("New York", "US")]
METHODS = ["credit_card", "debit_card", "paypal", "bank_transfer", "apple_pay", "google_pay"]
GOODS = ["Laptop", "Phone", "Headphones", "Keyboard", "Mouse", "Monitor", "Tablet", "Charger", "Backpack", "Webcam", "Desk lamp", "Chair", "Notebook", "Pen set", "Coffee machine", "Kettle"]
TO_EUR = {"EUR": Decimal(1), "USD": Decimal("0.92"), "GBP": Decimal("1.17"), "CHF": Decimal("1.04")}
REASONS = ["velocity", "stolen card", "chargebacks", "sanctions list"]


def timestamp(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}"


def cents(value):
    return value.quantize(Decimal("0.01"))


class Shop:
    """Makes transactions one after the other, and all eight sources of them."""

    def __init__(self, world, seed, partitions, today):
        self.world, self.random, self.today = world, random.Random(seed), today
        self.today_ms = max(min(int(time.time() * 1000) - today, DAY_MS), 1)  # nothing has happened in the future
        self.number, self.products, self.users = 0, [], []
        self.by_user, self.by_user_eur, self.by_method, self.by_product = {}, {}, {}, {}
        for i, name in enumerate(GOODS):
            self.products.append((f"P{i + 1:04d}", name, cents(Decimal(self.random.randrange(499, 119900)) / 100)))
        for i in range(120):
            city, country = self.random.choice(CITIES)
            name = f"{self.random.choice(FIRST)} {self.random.choice(LAST)}"
            self.users.append({"USER_ID": f"user_{i + 1:04d}", "NAME": name, "EMAIL": f"user{i + 1}@example.com" if i % 9 else None, "CITY": city, "COUNTRY": country,
                               "REASON": self.random.choice(REASONS) if i % 17 == 0 else None})
        for name in STREAMS + TABLES:
            world.create(name, is_table=name in TABLES, columns=COLUMNS[name], partitions=partitions)

    def day_back(self):
        """Most events are of the last days, one in twenty is older than a year, a few are older than two."""
        r = self.random.random()
        if r < 0.01:
            return self.random.randrange(735, 760)
        if r < 0.06:
            return self.random.randrange(370, 400)
        if r < 0.25:
            return self.random.randrange(30, 120)
        return self.random.randrange(0, 14)

    def add(self, events, days_back=None):
        """So many transactions; days_back: all of one day. In the order of their time, as topics have them, more or less."""
        days = [self.day_back() if days_back is None else days_back for _ in range(events)]
        moments = sorted(self.today - d * DAY_MS + self.random.randrange(DAY_MS if d else self.today_ms) for d in days)
        changes = {}
        with self.world.changed:
            for at in moments:
                self.transaction(at, changes)
            for name, rows in changes.items():
                for row, at in rows.values():
                    self.world.sources[name].add(row, at=at)
            self.world.changed.notify_all()

    def transaction(self, at, changes):
        r, user = self.random, self.random.choice(self.users)
        self.number += 1
        key = f"tx_{self.number:08d}"
        bought = [{"PRODUCT_ID": p[0], "NAME": p[1], "QUANTITY": r.randrange(1, 4), "PRICE": p[2]} for p in r.sample(self.products, r.choice([1, 1, 1, 2, 2, 3]))]
        amount = sum((line["PRICE"] * line["QUANTITY"] for line in bought), Decimal(0))
        currency, method = r.choice(["EUR", "EUR", "EUR", "USD", "GBP", "CHF"]), r.choice(METHODS)
        status, moment = r.choice(["completed"] * 8 + ["refunded", None]), timestamp(at)
        add = self.world.sources
        common = {"TRANSACTION_ID": key, "CURRENCY": currency, "PAYMENT_METHOD": method, "EVENT_TIME": moment}
        add["TRANSACTION_STREAM"].add({**common, "USER_ID": user["USER_ID"], "CUSTOMER": {k: user[k] for k in ("NAME", "EMAIL", "CITY", "COUNTRY")}, "AMOUNT": amount, "PRODUCTS": bought,
                                       "STATUS": status}, at=at)
        for line in bought:
            add["TRANSACTION_FLATTENED"].add({**common, "USER_ID": user["USER_ID"], "PRODUCT_ID": line["PRODUCT_ID"], "PRODUCT_NAME": line["NAME"], "QUANTITY": line["QUANTITY"],
                                              "PRICE": line["PRICE"], "LINE_TOTAL": line["PRICE"] * line["QUANTITY"], "CITY": user["CITY"], "COUNTRY": user["COUNTRY"]}, at=at)
        hashed = hashlib.sha256(f"salt:{user['USER_ID']}".encode()).hexdigest()[:32]
        add["TRANSACTION_STREAM_ANONYMIZED"].add({**common, "USER_HASH": hashed, "COUNTRY": user["COUNTRY"], "AMOUNT": amount, "STATUS": status}, at=at)
        if user["REASON"]:
            add["TRANSACTION_STREAM_BLACKLISTED"].add({**common, "USER_ID": user["USER_ID"], "AMOUNT": amount, "REASON": user["REASON"]}, at=at)
        self.aggregate(user["USER_ID"], method, amount, currency, moment, bought, at, changes)

    def aggregate(self, user, method, amount, currency, moment, bought, at, changes):
        n, total, most, _ = self.by_user.get(user, (0, Decimal(0), Decimal(0), None))
        self.by_user[user] = n, total, most, _ = n + 1, total + amount, max(most, amount), moment
        changes.setdefault("USER_TRANSACTION_SUMMARY", {})[user] = ({"USER_ID": user, "TRANSACTION_COUNT": n, "TOTAL_AMOUNT": total, "MAX_AMOUNT": most, "LAST_TRANSACTION": moment}, at)
        n, total = self.by_user_eur.get(user, (0, Decimal(0)))
        self.by_user_eur[user] = n, total = n + 1, total + cents(amount * TO_EUR[currency])
        changes.setdefault("USER_TRANSACTION_SUMMARY_EUR", {})[user] = ({"USER_ID": user, "TRANSACTION_COUNT": n, "TOTAL_AMOUNT_EUR": total, "AVERAGE_AMOUNT_EUR": float(total) / n}, at)
        n, total = self.by_method.get(method, (0, Decimal(0)))
        self.by_method[method] = n, total = n + 1, total + amount
        changes.setdefault("PAYMENT_METHOD_TOTALS", {})[method] = ({"PAYMENT_METHOD": method, "TRANSACTION_COUNT": n, "TOTAL_AMOUNT": total}, at)
        for line in bought:
            n, quantity = self.by_product.get(line["PRODUCT_ID"], (0, 0))
            self.by_product[line["PRODUCT_ID"]] = n, quantity = n + 1, quantity + line["QUANTITY"]
            changes.setdefault("PRODUCT_PURCHASE_COUNTS", {})[line["PRODUCT_ID"]] = (
                {"PRODUCT_ID": line["PRODUCT_ID"], "PRODUCT_NAME": line["NAME"], "PURCHASE_COUNT": n, "TOTAL_QUANTITY": quantity}, at)


# ---- every type -----------------------------------------------------------------------------------------------------
TYPES = [("B", "BOOLEAN"), ("I", "INTEGER"), ("L", "BIGINT"), ("D", "DOUBLE"), ("S", "STRING"), ("Z", "BYTES"), ("DEC", "DECIMAL(38, 10)"), ("DEC2", "DECIMAL(5, 0)"), ("DA", "DATE"), ("TI", "TIME"),
         ("TS", "TIMESTAMP"), ("AR", "ARRAY<INTEGER>"), ("MA", "MAP<STRING, BIGINT>"), ("ST", "STRUCT<`A` BIGINT, `b c` STRING>"),
         ("DEEP", "ARRAY<STRUCT<`K` STRING, `M` MAP<STRING, ARRAY<DECIMAL(10, 2)>>, `T` TIMESTAMP>>"), ("lower case", "STRING")]


def type_rows():
    full = {"B": True, "I": -(1 << 31), "L": (1 << 63) - 1, "D": 1.5e300, "S": 'quote " back\\slash é 日本 \U0001f600 \u0001 \n', "Z": base64.b64encode(bytes(range(256))).decode(),
            "DEC": Decimal("-1234567890123456789012345678.0123456789"), "DEC2": 99999, "DA": "1969-07-20", "TI": "10:00", "TS": "1969-07-20T20:17:40.001",
            "AR": [1, None, -3], "MA": {"one": 1, "ünï": None}, "ST": {"A": -(1 << 63), "b c": ""},
            "DEEP": [{"K": "k", "M": {"x": [Decimal("0.01"), None]}, "T": "2024-02-29T23:59:59.999"}, None, {"K": None, "M": {}, "T": None}], "lower case": ""}
    small = {"B": False, "I": (1 << 31) - 1, "L": -(1 << 63), "D": -0.0, "S": "", "Z": "", "DEC": Decimal("0.0000000001"), "DEC2": -1, "DA": "9999-12-31", "TI": "23:59:59.999", "TS": "2025-01-15T10:00:00.000",
             "AR": [], "MA": {}, "ST": {"A": 0, "b c": "x"}, "DEEP": [], "lower case": "ok"}
    nested = {"I": 0, "L": 0, "D": 5e-324, "S": "x" * 5000, "TI": "00:00:01", "ST": {"A": None, "b c": None}, "DEEP": [{"K": "z", "M": {"y": None, "": [Decimal("-99999999.99")]}, "T": "2262-04-11T00:00:00.000"}]}
    return [full, small, {}, nested]


def fill_types(world):
    columns = [("ID", "STRING", "KEY"), *TYPES]
    rows = [{"values": {"ID": f"row {i}", **row}, "rowtime": 1_736_935_200_000 + i} for i, row in enumerate(type_rows())]
    world.create("ALL_TYPES", is_table=False, columns=columns, partitions=2)
    world.create("ALL_TYPES_TABLE", is_table=True, columns=[("ID", "STRING", "KEY"), ("K2", "INTEGER", "KEY"), *TYPES], partitions=2)
    world.append("ALL_TYPES", rows)
    world.append("ALL_TYPES_TABLE", [{**r, "values": {**r["values"], "K2": i}} for i, r in enumerate(rows)])


def fill(world, scenarios, seed, events, partitions, today):
    """today: milliseconds at midnight, UTC."""
    for scenario in scenarios:
        if scenario == "seed":
            world.shop = Shop(world, seed, partitions, today)
            world.shop.add(events)
        elif scenario == "types":
            fill_types(world)
        elif scenario != "empty":
            raise SystemExit(f"error: no scenario {scenario!r}: seed, types, empty")
