"""Tables that firn writes, in firn's SQL, for peers to read: name -> statements. {t} is the table, {v} the format version.

Every table has a column `id`. SPARK_UNREADABLE names those with types that Spark 3.5 lacks.
"""
TYPES = ("id INT NOT NULL, b BOOLEAN, i INT, l BIGINT, f FLOAT, d DOUBLE, n5 DECIMAL(5,2), n18 DECIMAL(18,4), n38 DECIMAL(38,10), dt DATE, ts TIMESTAMP, "
         "tz TIMESTAMPTZ, s VARCHAR, bin BLOB")
TYPE_ROWS = """
  (1, true, 1, 1, 1.5, 2.5, 1.25, 1.25, 1.0000000001, DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.123456', TIMESTAMPTZ '2024-02-29 12:34:56.123456+00', 'plain', '\\x00\\xFF'::BLOB),
  (2, false, -2147483648, -9223372036854775808, '-infinity'::FLOAT, 'infinity'::DOUBLE, -999.99, -99999999999999.9999, -9999999999999999999999999999.9999999999,
   DATE '1582-10-15', TIMESTAMP '1969-12-31 23:59:59.999999', TIMESTAMPTZ '1900-01-01 00:00:00+00', '', ''::BLOB),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, true, 2147483647, 9223372036854775807, 'nan'::FLOAT, 'nan'::DOUBLE, 999.99, 99999999999999.9999, 9999999999999999999999999999.9999999999, DATE '9999-12-31',
   TIMESTAMP '9999-12-31 23:59:59.999999', TIMESTAMPTZ '2262-04-12 00:00:00+00', 'é世🧊 long enough for truncated bounds, with 🧊 at the cut', '\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF'::BLOB),
  (5, false, 0, 0, '-0.0'::FLOAT, '-0.0'::DOUBLE, 0, 0, 0, DATE '1970-01-01', TIMESTAMP '1970-01-01 00:00:00', TIMESTAMPTZ '1970-01-01 00:00:00+00', 'x', '\\x01'::BLOB)"""

KV_ROWS = "SELECT i::INT AS id, 'k' || (i % 7) AS k, (i * 1.5)::DOUBLE AS v FROM range(1, 41) r(i)"
PROPS = "TBLPROPERTIES ('format-version'='{v}')"
MOR = "TBLPROPERTIES ('format-version'='{v}', 'write.delete.mode'='merge-on-read', 'write.update.mode'='merge-on-read', 'write.merge.mode'='merge-on-read')"
KV = "CREATE TABLE {t} (id INT, k VARCHAR, v DOUBLE) "
MERGE = """MERGE INTO {t} AS t USING (SELECT * FROM (VALUES (2, 'merged', 200.0), (4, 'delete', 0.0), (900, 'new', 9.0)) AS s(id, k, v)) AS s ON t.id = s.id
  WHEN MATCHED AND s.k = 'delete' THEN DELETE WHEN MATCHED THEN UPDATE SET k = s.k, v = s.v WHEN NOT MATCHED THEN INSERT (id, k, v) VALUES (s.id, s.k, s.v)"""

TABLES = {
    "types": [f"CREATE TABLE {{t}} ({TYPES}) {PROPS}", f"INSERT INTO {{t}} VALUES {TYPE_ROWS}"],
    "types_more": [f"CREATE TABLE {{t}} (id INT, u UUID, t TIME) {PROPS}",
                   "INSERT INTO {t} VALUES (1, 'f79c3e09-677c-4bbd-a479-3f349cb785e7', TIME '22:31:08.123456'), (2, NULL, NULL)"],
    "nested": [f"CREATE TABLE {{t}} (id INT, st STRUCT(a INT, b VARCHAR, deep STRUCT(x DOUBLE, y INT[])), li INT[], ls STRUCT(n VARCHAR, q INT)[], m MAP(VARCHAR, INT), "
               f"ms MAP(VARCHAR, STRUCT(p INT)), ll VARCHAR[][]) {PROPS}",
               """INSERT INTO {t} VALUES
                 (1, {'a': 1, 'b': 'x', 'deep': {'x': 1.5, 'y': [1, 2]}}, [1, 2, 3], [{'n': 'p', 'q': 1}, {'n': 'r', 'q': 2}], MAP {'a': 1, 'b': 2}, MAP {'k': {'p': 1}}, [['a', 'b'], ['c']]),
                 (2, NULL, NULL, NULL, NULL, NULL, NULL),
                 (3, {'a': NULL, 'b': NULL, 'deep': NULL}, [], [], MAP {}, MAP {}, []),
                 (4, {'a': 4, 'b': NULL, 'deep': {'x': NULL, 'y': [NULL, 5]}}, [NULL, 1], [NULL, {'n': NULL, 'q': 7}], MAP {'n': NULL}, MAP {'m': {'p': NULL}}, [NULL, [], [NULL, 'z']])"""],
    "ctas": [f"CREATE TABLE {{t}} {PROPS} AS {KV_ROWS}"],
    "part_identity": [f"CREATE TABLE {{t}} (id INT, s VARCHAR, i INT, d DATE, b BOOLEAN) PARTITIONED BY (s, i, d, b) {PROPS}",
                      """INSERT INTO {t} VALUES (1, 'a', 1, DATE '2024-01-01', true), (2, 'a', 1, DATE '2024-01-01', true), (3, NULL, NULL, NULL, NULL),
                         (4, 'a/b=c d%e', -1, DATE '1969-12-31', false), (5, '', 0, DATE '1970-01-01', true), (6, 'é🧊', 2147483647, DATE '2024-01-01', true), (7, 'null', 1, NULL, true)"""],
    "part_bucket": [f"CREATE TABLE {{t}} (id INT, l BIGINT, s VARCHAR, d DATE, ts TIMESTAMPTZ, n DECIMAL(9,2), b BLOB) "
                    f"PARTITIONED BY (bucket(4, id), bucket(8, l), bucket(16, s), bucket(5, d), bucket(3, ts), bucket(7, n), bucket(2, b)) {PROPS}",
                    """INSERT INTO {t} VALUES (1, 34, 'iceberg', DATE '2017-11-16', TIMESTAMPTZ '2017-11-16 22:31:08+00', 14.20, '\\x00\\x01\\x02\\x03'::BLOB),
                       (2, -1, '', DATE '1969-12-31', TIMESTAMPTZ '1969-12-31 23:59:59.999999+00', -14.20, ''::BLOB), (3, 9223372036854775807, 'é世🧊', DATE '2024-02-29', TIMESTAMPTZ '2024-02-29 00:00:00+00', 0.00, '\\xFF'::BLOB),
                       (4, NULL, NULL, NULL, NULL, NULL, NULL), (-2147483648, -9223372036854775808, 'b', DATE '1600-01-01', TIMESTAMPTZ '1900-01-01 00:00:00+00', -9999999.99, '\\x00'::BLOB)"""],
    "part_truncate": [f"CREATE TABLE {{t}} (id INT, s VARCHAR, i INT, l BIGINT, n DECIMAL(9,2)) PARTITIONED BY (truncate(3, s), truncate(10, i), truncate(100, l), truncate(50, n)) {PROPS}",
                      """INSERT INTO {t} VALUES (1, 'iceberg', 1, 1, 10.65), (2, 'ice', -1, -1, -10.65), (3, 'é🧊世x', 10, 100, 0.49), (4, '', -10, -100, 0.50), (5, NULL, NULL, NULL, NULL), (6, 'icy', 9, 99, 10.99)"""],
    "part_time": [f"CREATE TABLE {{t}} (id INT, d DATE, y TIMESTAMPTZ, mo TIMESTAMP, da TIMESTAMPTZ, h TIMESTAMPTZ, dm DATE, dd DATE) "
                  f"PARTITIONED BY (years(d), years(y), months(mo), days(da), hours(h), months(dm), days(dd)) {PROPS}",
                  "INSERT INTO {t} SELECT i::INT, x::DATE, x::TIMESTAMP::TIMESTAMPTZ, x::TIMESTAMP, x::TIMESTAMP::TIMESTAMPTZ, x::TIMESTAMP::TIMESTAMPTZ, x::DATE, x::DATE FROM (VALUES (1, '2024-02-29 12:34:56'), "
                  "(2, '1969-12-31 23:59:59.999999'), (3, '1970-01-01 00:00:00'), (4, '1900-03-01 00:00:00'), (5, NULL), (6, '1969-01-01 00:00:00')) AS v(i, x)"],
    "evolved_schema": [KV + PROPS, f"INSERT INTO {{t}} {KV_ROWS}", "ALTER TABLE {t} ADD COLUMN n INT", "INSERT INTO {t} VALUES (100, 'x', 1.5, 7)", "ALTER TABLE {t} RENAME COLUMN k TO key",
                       "ALTER TABLE {t} ALTER COLUMN id TYPE BIGINT", "ALTER TABLE {t} ALTER COLUMN n TYPE BIGINT", "INSERT INTO {t} VALUES (5000000000, 'y', 2.5, 6000000000)", "ALTER TABLE {t} DROP COLUMN v",
                       "ALTER TABLE {t} ADD COLUMN v VARCHAR", "INSERT INTO {t} VALUES (101, 'z', 1, 'new v')"],
    "evolved_nested": [f"CREATE TABLE {{t}} (id INT, st STRUCT(a INT, b VARCHAR), li STRUCT(a INT, b VARCHAR)[]) {PROPS}",
                       "INSERT INTO {t} VALUES (1, {'a': 1, 'b': 'x'}, [{'a': 1, 'b': 'x'}])", "ALTER TABLE {t} ADD COLUMN st.c DOUBLE", "ALTER TABLE {t} RENAME COLUMN st.b TO bb",
                       "ALTER TABLE {t} ADD COLUMN li.element.c DOUBLE", "INSERT INTO {t} VALUES (2, {'a': 2, 'bb': 'y', 'c': 2.5}, [{'a': 2, 'b': 'y', 'c': 2.5}])"],
    "evolved_spec": [KV + PROPS, "INSERT INTO {t} VALUES (1, 'a', 1.0), (2, 'b', 2.0)", "ALTER TABLE {t} ADD PARTITION FIELD bucket(4, id)", "INSERT INTO {t} VALUES (3, 'a', 3.0)",
                     "ALTER TABLE {t} ADD PARTITION FIELD truncate(1, k)", "INSERT INTO {t} VALUES (4, 'b', 4.0)", "ALTER TABLE {t} DROP PARTITION FIELD bucket(4, id)",
                     "INSERT INTO {t} VALUES (5, NULL, 5.0)", "DELETE FROM {t} WHERE id = 2"],
    "cow": [KV + "PARTITIONED BY (k) " + PROPS, f"INSERT INTO {{t}} {KV_ROWS}", "DELETE FROM {t} WHERE id IN (3, 8, 11)", "DELETE FROM {t} WHERE k = 'k5'", "UPDATE {t} SET v = v * 10 WHERE id < 7", MERGE],
    "mor": [KV + MOR, f"INSERT INTO {{t}} {KV_ROWS}", "DELETE FROM {t} WHERE id IN (3, 8, 11)", "DELETE FROM {t} WHERE id = 12", "UPDATE {t} SET v = v * 10 WHERE id < 7", MERGE],
    "mor_partitioned": [KV + "PARTITIONED BY (truncate(2, k)) " + MOR, f"INSERT INTO {{t}} {KV_ROWS}", f"INSERT INTO {{t}} SELECT id + 100, k, v FROM ({KV_ROWS})", "DELETE FROM {t} WHERE id % 10 = 3",
                        "DELETE FROM {t} WHERE id BETWEEN 100 AND 110"],
    "overwritten": [KV + "PARTITIONED BY (k) " + PROPS, f"INSERT INTO {{t}} {KV_ROWS}", "INSERT OVERWRITE {t} SELECT 500, 'k1', 1.0"],
    "truncated": [KV + PROPS, f"INSERT INTO {{t}} {KV_ROWS}", "TRUNCATE TABLE {t}", "INSERT INTO {t} VALUES (1, 'again', 1.0)"],
    "empty": [KV + PROPS],
    "sorted": [KV + PROPS, "ALTER TABLE {t} WRITE ORDERED BY k, id DESC", f"INSERT INTO {{t}} {KV_ROWS}"],
    "odd_names": [f"CREATE TABLE {{t}} (id INT, \"a b\" VARCHAR, \"x.y\" INT, \"été\" VARCHAR, \"Upper\" INT) PARTITIONED BY (\"a b\") {PROPS}",
                  "INSERT INTO {t} VALUES (1, 'p q', 1, 'é', 10), (2, NULL, NULL, NULL, NULL)"],
}
SPARK_UNREADABLE = {"types_more"}
# PyIceberg 0.12 returns null lists and maps of structs as empty ones (tests/golden/generate/finish.py).
PYICEBERG_WRONG = {"nested"}

def make(firn, name, version):
    """Makes v<version>.<name> once; a failure is remembered and raised again."""
    table = f"v{version}.{name}"
    if table not in firn.made:
        try:
            firn.execute(*(s.replace("{t}", table).replace("{v}", str(version)) for s in TABLES[name]))
            firn.made[table] = None
        except AssertionError as e:
            firn.made[table] = e
    if firn.made[table] is not None:
        raise firn.made[table]
    return table


CASES = [(name, version) for name in TABLES for version in (2, 3)]
