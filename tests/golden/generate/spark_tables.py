"""Golden tables written by Spark 3.5 with the Iceberg runtime: every table is one function named after it.

The docstring of each function is the table's description in expected.json and in README.md.
"""
import os

TABLES = {}
G = "g"  # the catalog: its warehouse is file:/firn-golden


def table(order_by=("id",), catalog="g"):
    def wrap(fn):
        TABLES[fn.__name__] = {"fn": fn, "about": " ".join(fn.__doc__.split()), "order_by": list(order_by), "writer": "Spark",
                               "catalog": catalog}
        return fn

    return wrap


class Maker:
    """One table being made: `t` is its full name, sql() runs statements with {t} replaced."""

    def __init__(self, spark, name, catalog="g"):
        self.spark, self.name, self.catalog = spark, name, catalog
        self.t = f"{catalog}.{name}"

    def sql(self, *statements):
        out = None
        for s in statements:
            out = self.spark.sql(s.replace("{t}", self.t).replace("{name}", self.name).replace("{c}", self.catalog))
        return out

    def create(self, columns, version=2, tail="", **props):
        p = {"format-version": version, **{k.replace("__", "-").replace("_", "."): v for k, v in props.items()}}
        text = ", ".join(f"'{k}'='{v}'" for k, v in p.items())
        self.sql(f"CREATE TABLE {{t}} ({columns}) USING iceberg {tail} TBLPROPERTIES ({text})")

    def snapshots(self):
        return [r[0] for r in self.sql("SELECT snapshot_id FROM {t}.snapshots ORDER BY committed_at").collect()]


KV = "id int not null, k string, v double"


def basic(m, version):
    m.create(KV, version)
    m.sql("INSERT INTO {t} VALUES (1,'a',1.5),(2,'b',2.5),(3,null,null)", "INSERT INTO {t} VALUES (4,'d',-0.0D),(5,'',double('NaN'))")


@table()
def basic_v1(m):
    """format v1, unpartitioned, two appends"""
    basic(m, 1)


@table()
def basic_v2(m):
    """format v2, unpartitioned, two appends"""
    basic(m, 2)


@table()
def basic_v3(m):
    """format v3, unpartitioned, two appends"""
    basic(m, 3)


@table(catalog="gp")
def location_plain(m):
    """locations recorded without a scheme: /firn-golden/..."""
    basic(m, 2)


@table(catalog="gs")
def location_three_slashes(m):
    """catalog given as file:///firn-golden; locations as the engine recorded them"""
    basic(m, 2)


def spark_types(m, version):
    m.create(
        "id int not null, b boolean, i int, l bigint, f float, d double, dec5 decimal(5,2), dec18 decimal(18,4), dec38 decimal(38,10),"
        " dt date, ts timestamp_ntz, tstz timestamp, s string, bin binary", version)
    m.sql("""INSERT INTO {t} VALUES
      (1, true, 1, 1L, 1.5F, 2.5D, 1.25BD, 1.2500BD, 1.0000000001BD, DATE'2024-02-29', TIMESTAMP_NTZ'2024-02-29 12:34:56.123456',
       TIMESTAMP'2024-02-29 12:34:56.123456Z', 'plain', X'00FF'),
      (2, false, -2147483648, -9223372036854775808L, float('-Infinity'), double('Infinity'), -999.99BD, -99999999999999.9999BD,
       -9999999999999999999999999999.9999999999BD, DATE'1582-10-15', TIMESTAMP_NTZ'1969-12-31 23:59:59.999999',
       TIMESTAMP'1900-01-01 00:00:00Z', '', X''),
      (3, null, null, null, null, null, null, null, null, null, null, null, null, null)""",
          """INSERT INTO {t} VALUES
      (4, true, 2147483647, 9223372036854775807L, float('NaN'), double('NaN'), 999.99BD, 99999999999999.9999BD,
       9999999999999999999999999999.9999999999BD, DATE'9999-12-31', TIMESTAMP_NTZ'9999-12-31 23:59:59.999999',
       TIMESTAMP'2262-04-12 00:00:00Z', 'é世🧊', X'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'),
      (5, false, 0, 0L, float('-0.0'), double('-0.0'), 0.00BD, 0.0000BD, 0.0000000000BD, DATE'1970-01-01',
       TIMESTAMP_NTZ'1970-01-01 00:00:00', TIMESTAMP'1970-01-01 00:00:00Z', 'x', X'01')""")


@table()
def types_spark_v1(m):
    """all types that Spark has, extremes, NaN, -0.0, infinities and nulls, format v1"""
    spark_types(m, 1)


@table()
def types_spark_v2(m):
    """all types that Spark has, extremes, NaN, -0.0, infinities and nulls, format v2"""
    spark_types(m, 2)


NESTED = ("id int not null, st struct<a: int, b: string, deep: struct<x: double, y: array<int>>>, li array<int>, ls array<struct<n: string, q: int>>,"
          " m map<string, int>, ms map<string, struct<p: int, q: string>>, ll array<array<string>>, mi map<int, array<bigint>>, lm array<map<string, date>>")


def nested(m, version):
    m.create(NESTED, version)
    m.sql("""INSERT INTO {t} SELECT /*+ COALESCE(1) */ * FROM VALUES
      (1, named_struct('a', 1, 'b', 'x', 'deep', named_struct('x', 1.5D, 'y', array(1,2))), array(1,2,3),
       array(named_struct('n','p','q',1), named_struct('n','r','q',2)), map('a',1,'b',2), map('k', named_struct('p',1,'q','z')),
       array(array('a','b'), array('c')), map(1, array(10L, 20L)), array(map('d', DATE'2024-01-01'))),
      (2, null, null, null, null, null, null, null, null),
      (3, named_struct('a', null, 'b', null, 'deep', null), array(), array(), map(), map(), array(), map(), array()),
      (4, named_struct('a', 4, 'b', null, 'deep', named_struct('x', null, 'y', array(null, 5))), array(null, 1),
       array(null, named_struct('n', null, 'q', 7)), map('n', null), map('n', null, 'm', named_struct('p', null, 'q', 'w')),
       array(null, array(), array(null, 'z')), map(-1, null, 2, array(null)), array(null, map(), map('e', null)))
      AS t(id, st, li, ls, m, ms, ll, mi, lm)""")


@table()
def nested_v1(m):
    """structs, lists, maps nested in each other; nulls and empties at every level, format v1"""
    nested(m, 1)


@table()
def nested_v2(m):
    """structs, lists, maps nested in each other; nulls and empties at every level, format v2"""
    nested(m, 2)


@table()
def nested_v3(m):
    """structs, lists, maps nested in each other; nulls and empties at every level, format v3"""
    nested(m, 3)


@table()
def nulls(m):
    """columns that hold nothing but nulls, rows that hold nothing but nulls, files without any value"""
    m.create("id int, a string, b double, c struct<x: int>, d array<int>", 2)
    m.sql("INSERT INTO {t} VALUES (1,null,null,null,null),(2,null,null,null,null)", "INSERT INTO {t} VALUES (3,'x',null,named_struct('x',null),null)",
          "INSERT INTO {t} VALUES (null,null,null,null,null)")


# ---- schema evolution ------------------------------------------------------------------------------------------------


@table()
def evolve_columns(m):
    """columns added, dropped, renamed, reordered, swapped names; a file under each schema"""
    m.create("id int, a string, b int, c string", 2)
    m.sql("INSERT INTO {t} VALUES (1,'a1',11,'c1')", "ALTER TABLE {t} ADD COLUMN d double AFTER a", "INSERT INTO {t} VALUES (2,'a2',2.5,12,'c2')",
          "ALTER TABLE {t} RENAME COLUMN a TO a_new", "INSERT INTO {t} VALUES (3,'a3',3.5,13,'c3')", "ALTER TABLE {t} DROP COLUMN b",
          "INSERT INTO {t} VALUES (4,'a4',4.5,'c4')", "ALTER TABLE {t} ALTER COLUMN c FIRST", "INSERT INTO {t} VALUES ('c5',5,'a5',5.5)",
          # c and a_new swap their names
          "ALTER TABLE {t} RENAME COLUMN c TO tmp", "ALTER TABLE {t} RENAME COLUMN a_new TO c", "ALTER TABLE {t} RENAME COLUMN tmp TO a_new",
          "INSERT INTO {t} VALUES ('c6',6,'a6',6.5)")


@table()
def evolve_readd(m):
    """a column dropped and added again under its old name has a new field id: old values stay hidden, with another type too"""
    m.create("id int, a string, st struct<x: int, y: int>", 2)
    m.sql("INSERT INTO {t} VALUES (1,'old',named_struct('x',1,'y',2))", "ALTER TABLE {t} DROP COLUMN a", "ALTER TABLE {t} DROP COLUMN st.y",
          "INSERT INTO {t} VALUES (2,named_struct('x',3))", "ALTER TABLE {t} ADD COLUMN a bigint", "ALTER TABLE {t} ADD COLUMN st.y string",
          "INSERT INTO {t} VALUES (3,named_struct('x',5,'y','new'),33)")


@table()
def evolve_widen(m):
    """int to long, float to double, decimal(9,2) to decimal(12,2) to decimal(38,2), in nested fields too; values beyond the old range"""
    m.create("id int, i int, f float, d decimal(9,2), st struct<i: int, f: float>, li array<int>, mv map<string, float>", 2)
    m.sql("INSERT INTO {t} VALUES (1, 2147483647, 1.1F, 1234567.89BD, named_struct('i',-5,'f',0.1F), array(1,null), map('a', 1.25F))",
          "INSERT INTO {t} VALUES (2, -1, float('NaN'), -0.01BD, null, null, null)",
          "ALTER TABLE {t} ALTER COLUMN i TYPE bigint", "ALTER TABLE {t} ALTER COLUMN f TYPE double", "ALTER TABLE {t} ALTER COLUMN d TYPE decimal(12,2)",
          "ALTER TABLE {t} ALTER COLUMN st.i TYPE bigint", "ALTER TABLE {t} ALTER COLUMN st.f TYPE double", "ALTER TABLE {t} ALTER COLUMN li.element TYPE bigint",
          "ALTER TABLE {t} ALTER COLUMN mv.value TYPE double",
          "INSERT INTO {t} VALUES (3, 9000000000L, 1e300D, 9999999999.99BD, named_struct('i',9000000000L,'f',0.1D), array(9000000000L), map('b', 1e300D))",
          "ALTER TABLE {t} ALTER COLUMN d TYPE decimal(38,2)",
          "INSERT INTO {t} VALUES (4, 0, 0.0D, 999999999999999999999999999999999999.99BD, null, array(), map())")


@table()
def evolve_nested(m):
    """rename, add, drop and reorder inside a struct, a list's element struct and a map's value struct; a file under each schema"""
    m.create("id int, st struct<a: int, b: string>, li array<struct<a: int, b: string>>, mv map<string, struct<a: int, b: string>>", 2)
    m.sql("INSERT INTO {t} VALUES (1, named_struct('a',1,'b','x'), array(named_struct('a',1,'b','x'), null), map('k', named_struct('a',1,'b','x')))",
          "ALTER TABLE {t} ADD COLUMN st.c double", "ALTER TABLE {t} ADD COLUMN li.element.c double", "ALTER TABLE {t} ADD COLUMN mv.value.c double",
          "INSERT INTO {t} VALUES (2, named_struct('a',2,'b','y','c',2.5D), array(named_struct('a',2,'b','y','c',2.5D)), map('k', named_struct('a',2,'b','y','c',2.5D)))",
          "ALTER TABLE {t} RENAME COLUMN st.b TO bb", "ALTER TABLE {t} RENAME COLUMN li.element.b TO bb", "ALTER TABLE {t} RENAME COLUMN mv.value.b TO bb",
          "INSERT INTO {t} VALUES (3, named_struct('a',3,'bb','z','c',3.5D), array(), map())",
          "ALTER TABLE {t} DROP COLUMN st.a", "ALTER TABLE {t} DROP COLUMN li.element.a", "ALTER TABLE {t} DROP COLUMN mv.value.a",
          "ALTER TABLE {t} ALTER COLUMN st.c FIRST", "ALTER TABLE {t} ALTER COLUMN li.element.c FIRST", "ALTER TABLE {t} ALTER COLUMN mv.value.c FIRST",
          "INSERT INTO {t} VALUES (4, named_struct('c',4.5D,'bb','w'), array(named_struct('c',4.5D,'bb','w')), map('k', named_struct('c',4.5D,'bb','w')))",
          "ALTER TABLE {t} ADD COLUMN st.inner struct<p: int, q: string>", "ALTER TABLE {t} RENAME COLUMN st TO record",
          "INSERT INTO {t} VALUES (5, named_struct('c',5.5D,'bb','v','inner',named_struct('p',1,'q','n')), null, null)")


@table()
def evolve_all_new(m):
    """every column of the first file was dropped since: its rows remain, all null"""
    m.create("id int, a string", 2)
    m.sql("INSERT INTO {t} VALUES (1,'x'),(2,'y')", "ALTER TABLE {t} ADD COLUMN n int", "ALTER TABLE {t} DROP COLUMN id", "ALTER TABLE {t} DROP COLUMN a",
          "ALTER TABLE {t} ADD COLUMN id int", "INSERT INTO {t} VALUES (10, 3)")


@table(order_by=("id",))
def odd_names(m):
    """column names with spaces, dots, quotes, unicode, digits first, upper case, and a partition on one of them"""
    m.create("id int, `a b` string, `x.y` int, `1st` double, `été` string, `Upper` int, `q\"q` string, `select` int", 2, "PARTITIONED BY (`a b`, `1st`)")
    m.sql("INSERT INTO {t} VALUES (1,'p q',1,1.5,'é',10,'q',7)", "INSERT INTO {t} VALUES (2,null,null,null,null,null,null,null)")


# ---- partitions ------------------------------------------------------------------------------------------------------


@table()
def part_identity(m):
    """identity partitions on string, int, date, boolean and decimal with nulls; values that must be escaped in paths"""
    m.create("id int, s string, i int, d date, b boolean, n decimal(5,2)", 2, "PARTITIONED BY (s, i, d, b, n)", write_distribution__mode="none",
             write_spark_fanout_enabled="true")
    m.sql("""INSERT INTO {t} VALUES (1,'a',1,DATE'2024-01-01',true,1.50BD),(2,'a',1,DATE'2024-01-01',true,1.50BD),(3,null,null,null,null,null),
      (4,'a/b=c d%e',-1,DATE'1969-12-31',false,-1.50BD),(5,'',0,DATE'1970-01-01',true,0.00BD),(6,'é🧊',2147483647,DATE'2024-01-01',true,1.50BD),
      (7,'null',1,DATE'2024-01-01',true,1.50BD),(8,'__HIVE_DEFAULT_PARTITION__',1,DATE'2024-01-01',true,1.50BD)""")


@table()
def part_bucket(m):
    """bucket of int, long, string, date, timestamp, decimal and binary columns with nulls"""
    m.create("id int, l bigint, s string, d date, ts timestamp, n decimal(9,2), b binary", 2,
             "PARTITIONED BY (bucket(4, id), bucket(8, l), bucket(16, s), bucket(5, d), bucket(3, ts), bucket(7, n), bucket(2, b))",
             write_spark_fanout_enabled="true", write_distribution__mode="none")
    m.sql("""INSERT INTO {t} VALUES (1,34L,'iceberg',DATE'2017-11-16',TIMESTAMP'2017-11-16 22:31:08Z',14.20BD,X'00010203'),
      (2,-1L,'',DATE'1969-12-31',TIMESTAMP'1969-12-31 23:59:59.999999Z',-14.20BD,X''),(null,null,null,null,null,null,null),
      (3,9223372036854775807L,'é世🧊',DATE'2024-02-29',TIMESTAMP'2024-02-29 00:00:00Z',0.00BD,X'FF'),(4,34L,'b',DATE'2017-11-16',null,1.00BD,null)""")


@table()
def part_truncate(m):
    """truncate of string by code points, int and long with negatives, decimal; nulls"""
    m.create("id int, s string, i int, l bigint, n decimal(9,2)", 2, "PARTITIONED BY (truncate(3, s), truncate(10, i), truncate(100, l), truncate(50, n))",
             write_spark_fanout_enabled="true", write_distribution__mode="none")
    m.sql("""INSERT INTO {t} VALUES (1,'iceberg',1,1L,10.65BD),(2,'ice',-1,-1L,-10.65BD),(3,'é🧊世x',10,100L,0.49BD),(4,'',-10,-100L,0.50BD),
      (5,null,null,null,null),(6,'icy',9,99L,10.99BD)""")


@table()
def part_time(m):
    """years, months, days and hours of date, timestamp and timestamptz, before and after 1970, nulls"""
    m.create("id int, d date, y timestamp, mo timestamp_ntz, da timestamp, h timestamp, dm date, dd date", 2,
             "PARTITIONED BY (years(d), years(y), months(mo), days(da), hours(h), months(dm), days(dd))", write_spark_fanout_enabled="true",
             write_distribution__mode="none")
    m.sql("""INSERT INTO {t} VALUES
      (1,DATE'2024-02-29',TIMESTAMP'2024-02-29 12:34:56Z',TIMESTAMP_NTZ'2024-02-29 12:34:56',TIMESTAMP'2024-02-29 12:34:56Z',TIMESTAMP'2024-02-29 12:34:56Z',DATE'2024-02-29',DATE'2024-02-29'),
      (2,DATE'1969-12-31',TIMESTAMP'1969-12-31 23:59:59.999999Z',TIMESTAMP_NTZ'1969-12-31 23:59:59.999999',TIMESTAMP'1969-12-31 23:59:59.999999Z',TIMESTAMP'1969-12-31 23:59:59.999999Z',DATE'1969-12-31',DATE'1969-12-31'),
      (3,DATE'1970-01-01',TIMESTAMP'1970-01-01 00:00:00Z',TIMESTAMP_NTZ'1970-01-01 00:00:00',TIMESTAMP'1970-01-01 00:00:00Z',TIMESTAMP'1970-01-01 00:00:00Z',DATE'1970-01-01',DATE'1970-01-01'),
      (4,DATE'1900-03-01',TIMESTAMP'1900-03-01 00:00:00Z',TIMESTAMP_NTZ'1900-03-01 00:00:00',TIMESTAMP'1900-03-01 00:00:00Z',TIMESTAMP'1900-03-01 00:00:00Z',DATE'1900-03-01',DATE'1900-03-01'),
      (5,null,null,null,null,null,null,null)""")


@table()
def part_void_v1(m):
    """a v1 spec whose dropped field became void, with a field added afterwards"""
    m.create("id int, a string, b int", 1, "PARTITIONED BY (a, bucket(4, b))")
    m.sql("INSERT INTO {t} VALUES (1,'x',1),(2,'y',2)", "ALTER TABLE {t} DROP PARTITION FIELD a", "INSERT INTO {t} VALUES (3,'x',3)",
          "ALTER TABLE {t} ADD PARTITION FIELD truncate(1, a)", "INSERT INTO {t} VALUES (4,'yy',4)", "ALTER TABLE {t} DROP PARTITION FIELD bucket(4, b)",
          "INSERT INTO {t} VALUES (5,null,null)")


def spec_evolution(m, version):
    m.create("id int, ts timestamp, k string", version)
    m.sql("INSERT INTO {t} VALUES (1,TIMESTAMP'2024-01-01 10:00:00Z','a'),(2,TIMESTAMP'2024-01-02 10:00:00Z','b')", "ALTER TABLE {t} ADD PARTITION FIELD days(ts)",
          "INSERT INTO {t} VALUES (3,TIMESTAMP'2024-01-01 11:00:00Z','a'),(4,TIMESTAMP'2024-01-03 11:00:00Z','b')",
          "ALTER TABLE {t} ADD PARTITION FIELD bucket(4, id)", "INSERT INTO {t} VALUES (5,TIMESTAMP'2024-01-01 12:00:00Z','a'),(6,TIMESTAMP'2024-01-04 12:00:00Z',null)",
          "ALTER TABLE {t} REPLACE PARTITION FIELD days(ts) WITH months(ts)", "INSERT INTO {t} VALUES (7,TIMESTAMP'2024-02-01 12:00:00Z','a'),(8,null,'b')",
          "ALTER TABLE {t} DROP PARTITION FIELD bucket(4, id)", "ALTER TABLE {t} ADD PARTITION FIELD truncate(1, k) AS key1",
          "INSERT INTO {t} VALUES (9,TIMESTAMP'2024-02-02 12:00:00Z','abc')")


@table()
def spec_evolution_v1(m):
    """unpartitioned, then days, then + bucket, days replaced by months, bucket dropped, named truncate: format v1"""
    spec_evolution(m, 1)


@table()
def spec_evolution_v2(m):
    """unpartitioned, then days, then + bucket, days replaced by months, bucket dropped, named truncate: format v2"""
    spec_evolution(m, 2)


@table()
def part_dropped_source(m):
    """the partition field is dropped and later its source column too; a renamed source column of a live field"""
    m.create("id int, a string, b string", 2, "PARTITIONED BY (a, b)")
    m.sql("INSERT INTO {t} VALUES (1,'x','p'),(2,'y','q')", "ALTER TABLE {t} DROP PARTITION FIELD a", "INSERT INTO {t} VALUES (3,'x','p')",
          "ALTER TABLE {t} RENAME COLUMN b TO b2", "INSERT INTO {t} VALUES (4,'z','r')")


@table()
def sort_order(m):
    """two sort orders, the later with a transform, descending and nulls last"""
    m.create("id int, k string, v double", 2)
    m.sql("ALTER TABLE {t} WRITE ORDERED BY k, id DESC", "INSERT INTO {t} VALUES (1,'b',1.0),(2,'a',2.0),(3,null,3.0)",
          "ALTER TABLE {t} WRITE ORDERED BY bucket(4, id) ASC NULLS LAST, v DESC NULLS LAST", "INSERT INTO {t} VALUES (4,'c',4.0),(5,'d',null)")


# ---- row-level deletes -----------------------------------------------------------------------------------------------

MOR = dict(write_delete_mode="merge-on-read", write_update_mode="merge-on-read", write_merge_mode="merge-on-read")


def pos_deletes(m, granularity):
    m.create("id int, p string, v string", 2, "PARTITIONED BY (p)", write_delete_granularity=granularity, **MOR)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, if(id % 2 = 0, 'even', 'odd'), concat('v', id) FROM range(1, 11) r(id)",
          "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, if(id % 2 = 0, 'even', 'odd'), concat('v', id) FROM range(11, 21) r(id)",
          "DELETE FROM {t} WHERE id IN (1, 2, 11, 14)", "DELETE FROM {t} WHERE id IN (3, 12)", "UPDATE {t} SET v = 'updated' WHERE id IN (5, 20)")


@table()
def pos_deletes_partition(m):
    """position deletes of partition granularity by DELETE and UPDATE merge-on-read, v2"""
    pos_deletes(m, "partition")


@table()
def pos_deletes_file(m):
    """position deletes of file granularity by DELETE and UPDATE merge-on-read, v2"""
    pos_deletes(m, "file")


@table()
def pos_deletes_evolved(m):
    """position deletes, then schema and spec evolution, then deletes again in files of the old spec"""
    m.create("id int, a string", 2, **MOR)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('a', id) FROM range(1, 7) r(id)", "DELETE FROM {t} WHERE id = 2",
          "ALTER TABLE {t} RENAME COLUMN a TO b", "ALTER TABLE {t} ADD COLUMN c int", "ALTER TABLE {t} ADD PARTITION FIELD bucket(2, id)",
          "INSERT INTO {t} SELECT id, concat('b', id), id FROM range(7, 13) r(id)", "DELETE FROM {t} WHERE id IN (3, 8, 9)")


@table()
def pos_deletes_row_groups(m):
    """position deletes across many row groups of one file of 2,000 rows"""
    m.create("id int, v string", 2, write_parquet_row__group__size__bytes="2048", write_parquet_page__size__bytes="512",
             write_parquet_row__group__check__min__record__count="100", write_parquet_row__group__check__max__record__count="200", **MOR)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id % 7) FROM range(0, 2000, 1, 1) r(id)", "DELETE FROM {t} WHERE id % 100 = 7 OR id BETWEEN 500 AND 720",
          "DELETE FROM {t} WHERE id IN (0, 1999)")


@table()
def pos_deletes_avro(m):
    """position deletes in an Avro file"""
    m.create("id int, v string", 2, write_delete_format_default="avro", **MOR)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(1, 7) r(id)", "DELETE FROM {t} WHERE id IN (2, 5)")


@table()
def pos_deletes_rewritten(m):
    """position deletes compacted by rewrite_position_delete_files, then data files rewritten, one dangling delete left"""
    m.create("id int, v string", 2, **MOR)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(1, 11) r(id)", "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(11, 21) r(id)",
          "DELETE FROM {t} WHERE id IN (2, 12)", "DELETE FROM {t} WHERE id IN (3, 13)",
          "CALL {c}.system.rewrite_position_delete_files(table => '{name}', options => map('rewrite-all','true'))", "DELETE FROM {t} WHERE id = 4",
          "CALL {c}.system.rewrite_data_files(table => '{name}', options => map('rewrite-all','true'))", "DELETE FROM {t} WHERE id = 20")


@table()
def cow_dml(m):
    """DELETE, UPDATE and MERGE copy-on-write, a whole-file delete and a partition overwrite"""
    m.create("id int, p string, v int", 2, "PARTITIONED BY (p)")
    m.sql("INSERT INTO {t} VALUES (1,'a',1),(2,'a',2),(3,'b',3),(4,'b',4),(5,'c',5)", "DELETE FROM {t} WHERE id = 1", "UPDATE {t} SET v = v * 10 WHERE p = 'b'",
          """MERGE INTO {t} t USING (SELECT * FROM VALUES (2,'a',200),(4,'b',0),(6,'d',6) AS s(id, p, v)) s ON t.id = s.id
             WHEN MATCHED AND s.v = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *""",
          "DELETE FROM {t} WHERE p = 'c'", "INSERT INTO {t} VALUES (7,'a',7)")
    m.spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    m.sql("INSERT OVERWRITE {t} VALUES (8,'d',8)")
    m.spark.conf.set("spark.sql.sources.partitionOverwriteMode", "static")


@table()
def mor_merge(m):
    """MERGE merge-on-read, v2: position deletes and new rows in one snapshot"""
    m.create("id int, v int", 2, **MOR)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, id FROM range(1, 9) r(id)",
          """MERGE INTO {t} t USING (SELECT * FROM VALUES (2,200),(4,0),(9,9) AS s(id, v)) s ON t.id = s.id
             WHEN MATCHED AND s.v = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *""")


@table()
def dv_v3(m):
    """deletion vectors: two merge-on-read deletes on the same files, so the second vectors hold the first ones' rows"""
    m.create("id int, p string, v string", 3, "PARTITIONED BY (p)", **MOR)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, if(id % 2 = 0, 'even', 'odd'), concat('v', id) FROM range(1, 21) r(id)", "DELETE FROM {t} WHERE id IN (1, 2, 11)",
          "DELETE FROM {t} WHERE id IN (3, 12, 20)", "UPDATE {t} SET v = 'updated' WHERE id IN (5, 10)")


@table()
def dv_upgraded(m):
    """v2 position deletes of partition granularity, upgraded to v3; the next delete merges them into vectors"""
    m.create("id int, v string", 2, write_delete_granularity="partition", **MOR)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(1, 7) r(id)", "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(7, 13) r(id)",
          "DELETE FROM {t} WHERE id IN (2, 8)", "ALTER TABLE {t} SET TBLPROPERTIES ('format-version'='3')", "DELETE FROM {t} WHERE id = 3",
          "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(13, 16) r(id)", "DELETE FROM {t} WHERE id = 14")


@table()
def dv_compacted(m):
    """deletion vectors dropped with their data files by rewrite_data_files, lineage kept, then a new vector"""
    m.create("id int, v string", 3, **MOR)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(1, 7) r(id)", "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(7, 13) r(id)",
          "DELETE FROM {t} WHERE id IN (2, 8)", "CALL {c}.system.rewrite_data_files(table => '{name}', options => map('rewrite-all','true'))",
          "DELETE FROM {t} WHERE id = 12")


# ---- row lineage -----------------------------------------------------------------------------------------------------


@table()
def lineage_v3(m):
    """row lineage: _row_id and _last_updated_sequence_number after appends, copy-on-write UPDATE and MERGE, and compaction"""
    m.create("id int, v string", 3)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(1, 5) r(id)", "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(5, 9) r(id)",
          "UPDATE {t} SET v = 'updated' WHERE id IN (2, 6)", "DELETE FROM {t} WHERE id = 1",
          """MERGE INTO {t} t USING (SELECT * FROM VALUES (3,'merged'),(9,'new') AS s(id, v)) s ON t.id = s.id
             WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *""",
          "CALL {c}.system.rewrite_data_files(table => '{name}', options => map('rewrite-all','true'))", "INSERT INTO {t} VALUES (10,'last')")


@table()
def lineage_upgraded(m):
    """v2 table upgraded to v3: old manifests get first row ids at the next commit"""
    m.create("id int, v string", 2)
    m.sql("INSERT INTO {t} VALUES (1,'a'),(2,'b')", "INSERT INTO {t} VALUES (3,'c')", "ALTER TABLE {t} SET TBLPROPERTIES ('format-version'='3')",
          "INSERT INTO {t} VALUES (4,'d'),(5,'e')", "INSERT INTO {t} VALUES (6,'f')")


# ---- name mapping ----------------------------------------------------------------------------------------------------


def parquet(m, sql, folder, partition=None, **conf):
    path = f"/firn-golden/{m.name}/imported/{folder}"
    for k, v in conf.items():
        m.spark.conf.set("spark.sql." + k.replace("_", "."), v)
    w = m.spark.sql(sql).coalesce(1).write.mode("overwrite")
    (w.partitionBy(partition) if partition else w).parquet("file:" + path)
    for k in conf:
        m.spark.conf.unset("spark.sql." + k.replace("_", "."))
    return path


def add_files(m, path, extra=""):
    m.sql(f"CALL {{c}}.system.add_files(table => '{{name}}', source_table => '`parquet`.`file:{path}`'{extra})")


@table()
def name_mapping_spark(m):
    """plain Parquet files added by add_files and read through schema.name-mapping.default; then rename, add, drop, and a re-used name"""
    m.create("id int, a string, b double", 2)
    add_files(m, parquet(m, "SELECT * FROM VALUES (1,'x',1.5D),(2,'y',2.5D) AS t(id,a,b)", "one"))
    m.sql("INSERT INTO {t} VALUES (3,'z',3.5)", "ALTER TABLE {t} RENAME COLUMN a TO a2", "ALTER TABLE {t} ADD COLUMN a string", "INSERT INTO {t} VALUES (4,'w',4.5,'a of 4')")
    add_files(m, parquet(m, "SELECT * FROM VALUES (5,'by old name?',5.5D) AS t(id,a,b)", "two"))
    add_files(m, parquet(m, "SELECT * FROM VALUES ('extra',6,'by new name') AS t(unknown_column,id,a2)", "three"))


@table()
def name_mapping_nested(m):
    """nested columns by name mapping: struct, list of structs, map of structs, with nested rename and add after the import"""
    m.create("id int, st struct<a: int, b: string>, li array<struct<a: int>>, mv map<string, struct<a: int>>", 2)
    add_files(m, parquet(m, "SELECT 1 AS id, named_struct('a',1,'b','x') AS st, array(named_struct('a',1),null) AS li, map('k',named_struct('a',1)) AS mv", "one"))
    m.sql("ALTER TABLE {t} RENAME COLUMN st.a TO aa", "ALTER TABLE {t} RENAME COLUMN li.element.a TO aa", "ALTER TABLE {t} RENAME COLUMN mv.value.a TO aa",
          "ALTER TABLE {t} ADD COLUMN st.c int",
          "INSERT INTO {t} VALUES (2, named_struct('aa',2,'b','y','c',22), array(named_struct('aa',2)), map('k',named_struct('aa',2)))")


@table()
def name_mapping_legacy(m):
    """imported Parquet as old Spark wrote it: INT96 timestamps, decimals as fixed-length bytes"""
    m.create("id int, ts timestamp, d decimal(9,2)", 2)
    query = """SELECT id, ts, CAST(d AS decimal(9,2)) AS d FROM VALUES (1, TIMESTAMP'2024-02-29 12:34:56.123456Z', 1.25BD),
               (2, TIMESTAMP'1969-12-31 23:59:59.5Z', -1.25BD), (3, null, null) AS t(id, ts, d)"""
    add_files(m, parquet(m, query, "one", parquet_outputTimestampType="INT96", parquet_writeLegacyFormat="true"))


@table()
def import_hive(m):
    """Hive-style folders added by add_files: the partition column is not in the files and comes from the partition value"""
    m.create("id int, v string, p string, q int", 2, "PARTITIONED BY (p, q)")
    path = parquet(m, "SELECT * FROM VALUES (1,'a','x',1),(2,'b','x',2),(3,'c','y z',1) AS t(id,v,p,q)", "one", partition=["p", "q"])
    add_files(m, path)
    m.sql("INSERT INTO {t} VALUES (4,'d','w',4),(5,'e',null,null)", "DELETE FROM {t} WHERE p = 'x' AND q = 2")


# ---- snapshots, refs -------------------------------------------------------------------------------------------------


@table()
def branches(m):
    """branches and tags of the table with retention, a branch ahead of main, a tag on an old snapshot, a branch on another schema"""
    m.create("id int, v string", 2)
    m.sql("INSERT INTO {t} VALUES (1,'a')", "ALTER TABLE {t} CREATE TAG first RETAIN 365 DAYS", "ALTER TABLE {t} CREATE BRANCH audit RETAIN 30 DAYS WITH SNAPSHOT RETENTION 3 SNAPSHOTS 2 DAYS",
          "INSERT INTO {t}.branch_audit VALUES (2,'audit'),(3,'audit')", "INSERT INTO {t} VALUES (4,'main')", "ALTER TABLE {t} ADD COLUMN n int",
          "INSERT INTO {t} VALUES (5,'main',5)", "ALTER TABLE {t} CREATE OR REPLACE TAG `latest-tag`", "ALTER TABLE {t} CREATE BRANCH `empty-branch`",
          "INSERT INTO {t}.branch_audit VALUES (6,'audit',6)", "INSERT INTO {t} VALUES (7,'main',7)")


@table()
def rollback(m):
    """rolled back twice and set-current-snapshot: snapshot-log time travel differs from lineage"""
    m.create("id int, v string", 2)
    for i in range(1, 5):
        m.sql(f"INSERT INTO {{t}} VALUES ({i},'v{i}')")
    s = m.snapshots()
    m.sql(f"CALL {{c}}.system.rollback_to_snapshot('{{name}}', {s[1]})", "INSERT INTO {t} VALUES (50,'after rollback')",
          f"CALL {{c}}.system.set_current_snapshot('{{name}}', {s[3]})", "INSERT INTO {t} VALUES (60,'after set')", f"CALL {{c}}.system.rollback_to_snapshot('{{name}}', {s[0]})",
          "INSERT INTO {t} VALUES (70,'last')")


@table()
def expired(m):
    """many snapshots, all but the last two expired; the parent of the oldest is gone"""
    m.create("id int, v string", 2, **MOR)
    for i in range(1, 6):
        m.sql(f"INSERT INTO {{t}} SELECT /*+ COALESCE(1) */ id, 'v{i}' FROM range({i * 10}, {i * 10 + 3}) r(id)")
    m.sql("DELETE FROM {t} WHERE id = 11", "CALL {c}.system.expire_snapshots(table => '{name}', older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 2)")


@table()
def cherrypick(m):
    """write-audit-publish by wap.id, cherry-picked onto a main that moved; fast-forward of a branch"""
    m.create("id int, v string", 2, write_wap_enabled="true")
    m.sql("INSERT INTO {t} VALUES (1,'a')")
    m.spark.conf.set("spark.wap.id", "audit-1")
    m.sql("INSERT INTO {t} VALUES (2,'staged')")
    m.spark.conf.unset("spark.wap.id")
    staged = m.sql("SELECT snapshot_id FROM {t}.snapshots WHERE summary['wap.id'] = 'audit-1'").collect()[0][0]
    m.sql("INSERT INTO {t} VALUES (3,'main')", f"CALL {{c}}.system.cherrypick_snapshot('{{name}}', {staged})", "ALTER TABLE {t} UNSET TBLPROPERTIES ('write.wap.enabled')",
          "ALTER TABLE {t} CREATE BRANCH ff", "INSERT INTO {t}.branch_ff VALUES (4,'branch')", "CALL {c}.system.fast_forward('{name}', 'main', 'ff')")


@table()
def replaced(m):
    """CREATE OR REPLACE TABLE: other columns and partitions under the same uuid, old snapshots still readable"""
    m.create("id int, a string", 2)
    m.sql("INSERT INTO {t} VALUES (1,'x')",
          "CREATE OR REPLACE TABLE {t} USING iceberg PARTITIONED BY (a) TBLPROPERTIES ('format-version'='2') AS SELECT CAST(id AS bigint) AS id, CAST(id * 10 AS int) AS a FROM range(5, 8) r(id)")


@table()
def deleted_all(m):
    """all rows deleted: by metadata (whole files), with rows inserted and truncated again"""
    m.create("id int, p int", 2, "PARTITIONED BY (p)")
    m.sql("INSERT INTO {t} VALUES (1,1),(2,2)", "DELETE FROM {t} WHERE p = 1", "DELETE FROM {t} WHERE p = 2", "INSERT INTO {t} VALUES (3,3)", "TRUNCATE TABLE {t}")


@table()
def manifests_rewritten(m):
    """rewrite_manifests: EXISTING entries with explicit sequence numbers, then appends"""
    m.create("id int, p int", 2, "PARTITIONED BY (p)", commit_manifest__merge_enabled="false")
    for i in range(1, 5):
        m.sql(f"INSERT INTO {{t}} VALUES ({i},{i % 2})")
    m.sql("CALL {c}.system.rewrite_manifests('{name}')", "INSERT INTO {t} VALUES (5,5)")


@table()
def manifests_merged(m):
    """manifests merged on every commit (min-count-to-merge 2), deleted entries dropped on the way"""
    m.create("id int, v string", 2, commit_manifest_min__count__to__merge="2")
    for i in range(1, 7):
        m.sql(f"INSERT INTO {{t}} VALUES ({i},'v{i}')")
    m.sql("DELETE FROM {t} WHERE id = 3", "INSERT INTO {t} VALUES (7,'v7')")


@table()
def upgraded_v1_v2(m):
    """v1 manifests without sequence numbers under a v2 table; deletes in v1 files after the upgrade"""
    m.create("id int, v string", 1)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, concat('v', id) FROM range(1, 5) r(id)", "INSERT INTO {t} VALUES (5,'v5')",
          "ALTER TABLE {t} SET TBLPROPERTIES ('format-version'='2', 'write.delete.mode'='merge-on-read')", "DELETE FROM {t} WHERE id = 2", "INSERT INTO {t} VALUES (6,'v6')")


@table()
def legacy_v1(m):
    """v1 metadata as early writers left it: only schema and partition-spec, partition fields without ids, manifests listed in the first snapshot"""
    import json

    import fastavro
    m.create("id int, p string, v double", 1, "PARTITIONED BY (p, bucket(4, id))", write_spark_fanout_enabled="true", write_distribution__mode="none")
    m.sql("INSERT INTO {t} VALUES (1,'a',1.5),(2,'b',2.5)", "INSERT INTO {t} VALUES (3,null,3.5)")
    path = f"/firn-golden/{m.name}/metadata/v3.metadata.json"
    with open(path) as f:
        meta = json.load(f)
    for k in ("schemas", "current-schema-id", "partition-specs", "default-spec-id", "last-partition-id", "sort-orders", "default-sort-order-id", "refs", "snapshot-log",
              "metadata-log", "statistics", "partition-statistics", "table-uuid"):
        meta.pop(k, None)
    meta["schema"].pop("schema-id")
    for field in meta["partition-spec"]:
        field.pop("field-id")
    for s in meta["snapshots"]:
        s.pop("schema-id")
    first = meta["snapshots"][0]
    with open(first.pop("manifest-list").removeprefix("file:"), "rb") as f:
        first["manifests"] = [e["manifest_path"] for e in fastavro.reader(f)]
    first.pop("summary")
    with open(path, "w") as f:
        json.dump(meta, f, indent=2)
    os.remove(f"/firn-golden/{m.name}/metadata/.v3.metadata.json.crc")


# ---- files -----------------------------------------------------------------------------------------------------------


def codec(m, name):
    m.create(KV, 2, write_parquet_compression__codec=name)
    m.sql("INSERT INTO {t} SELECT /*+ COALESCE(1) */ CAST(id AS int), concat('key', id % 3), id / 4 FROM range(1, 41) r(id)")


@table()
def codec_snappy(m):
    """Parquet compressed with snappy"""
    codec(m, "snappy")


@table()
def codec_gzip(m):
    """Parquet compressed with gzip"""
    codec(m, "gzip")


@table()
def codec_zstd(m):
    """Parquet compressed with zstd"""
    codec(m, "zstd")


@table()
def codec_none(m):
    """Parquet without compression"""
    codec(m, "uncompressed")


@table()
def codec_lz4(m):
    """Parquet compressed with lz4_raw"""
    codec(m, "lz4_raw")


@table()
def metadata_gzip(m):
    """metadata files compressed: vN.gz.metadata.json"""
    m.create(KV, 2, write_metadata_compression__codec="gzip")
    m.sql("INSERT INTO {t} VALUES (1,'a',1.5)", "INSERT INTO {t} VALUES (2,'b',2.5)")


@table()
def data_avro(m):
    """data files in Avro"""
    m.create(NESTED, 2, write_format_default="avro")
    m.sql("INSERT INTO {t} VALUES (1, named_struct('a',1,'b','x','deep',null), array(1,null), null, map('a',1), null, null, map(1,array(1L)), null)")


@table()
def data_orc(m):
    """data files in ORC"""
    m.create(KV, 2, write_format_default="orc")
    m.sql("INSERT INTO {t} VALUES (1,'a',1.5)")


@table()
def object_paths(m):
    """object-store layout: data files under hashed folders outside data/"""
    m.create("id int, p string", 2, "PARTITIONED BY (p)", write_object__storage_enabled="true", write_data_path="file:/firn-golden/object_paths/objects",
             write_spark_fanout_enabled="true")
    m.sql("INSERT INTO {t} VALUES (1,'a'),(2,'b')", "INSERT INTO {t} VALUES (3,'a')")


@table()
def metrics_modes(m):
    """metrics modes none, counts, truncate(3) and full per column; bounds cut short; an all-NaN column"""
    m.create("id int, n string, c string, t string, f string, d double", 2, write_metadata_metrics_column_n="none", write_metadata_metrics_column_c="counts",
             write_metadata_metrics_column_t="truncate(3)", write_metadata_metrics_column_f="full")
    m.sql("INSERT INTO {t} VALUES (1,'none','counts','truncated','full length of the string kept in the bounds',double('NaN')),(2,'n','c','tru🧊zzz','f',double('NaN'))",
          "INSERT INTO {t} VALUES (3,null,null,null,null,null)", "INSERT INTO {t} VALUES (4,'x','x','\U0010ffff\U0010ffff\U0010ffff\U0010ffff','x',double('NaN')),(5,'x','x','x','x',1.0D)")


@table()
def table_statistics(m):
    """a statistics file (Puffin with theta sketches) and a partition statistics file"""
    m.create("id int, k string, p int", 2, "PARTITIONED BY (p)")
    m.sql("INSERT INTO {t} VALUES (1,'a',1),(2,'b',1),(3,'a',2)", "CALL {c}.system.compute_table_stats('{name}')", "CALL {c}.system.compute_partition_stats('{name}')",
          "INSERT INTO {t} VALUES (4,'c',2)")


@table()
def many_files(m):
    """40 files in 8 day partitions with distinct bounds, for pruning: file counts per predicate are in expected.json under `pruning`"""
    m.create("id int, ts timestamp, k string, v double", 2, "PARTITIONED BY (days(ts))", commit_manifest__merge_enabled="false")
    for batch in range(5):
        m.sql(f"""INSERT INTO {{t}} SELECT CAST(id AS int), TIMESTAMP'2024-03-01 00:00:00Z' + make_interval(0,0,0,CAST(id % 8 AS int)), concat('k', lpad(id, 5, '0')),
                  if(id % 10 = 3, null, id * 0.5D) FROM range({batch * 80}, {batch * 80 + 80}) r(id)""")
