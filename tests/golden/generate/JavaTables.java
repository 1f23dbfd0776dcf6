// Golden tables that only Iceberg's Java API can write: equality deletes, types that Spark lacks, defaults, crafted orders.
//   JavaTables [name...]   writes file:/firn-golden/<name> and prints "<name> <current metadata file>" per table.
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.AppendFiles;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.DeleteFile;
import org.apache.iceberg.FileFormat;
import org.apache.iceberg.PartitionKey;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.RowDelta;
import org.apache.iceberg.Schema;
import org.apache.iceberg.SortOrder;
import org.apache.iceberg.StructLike;
import org.apache.iceberg.Table;
import org.apache.iceberg.data.GenericAppenderFactory;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.InternalRecordWrapper;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.deletes.EqualityDeleteWriter;
import org.apache.iceberg.deletes.PositionDelete;
import org.apache.iceberg.deletes.PositionDeleteWriter;
import org.apache.iceberg.encryption.EncryptedFiles;
import org.apache.iceberg.encryption.EncryptedOutputFile;
import org.apache.iceberg.encryption.EncryptionKeyMetadata;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.expressions.Literal;
import org.apache.iceberg.hadoop.HadoopTables;
import org.apache.iceberg.io.DataWriter;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.Types;
import org.apache.iceberg.util.DateTimeUtil;
import org.apache.iceberg.variants.ShreddedObject;
import org.apache.iceberg.variants.Variant;
import org.apache.iceberg.variants.VariantMetadata;
import org.apache.iceberg.variants.Variants;

public final class JavaTables {
  private static final HadoopTables TABLES = new HadoopTables(new Configuration());
  private static int fileNumber = 0;

  // ---- helpers -------------------------------------------------------------------------------------------------

  private static Table create(String name, Schema schema, PartitionSpec spec, int version, String... properties) {
    Map<String, String> props = new HashMap<>();
    props.put("format-version", Integer.toString(version));
    for (int i = 0; i < properties.length; i += 2) {
      props.put(properties[i], properties[i + 1]);
    }
    return TABLES.create(schema, spec, SortOrder.unsorted(), props, "file:/firn-golden/" + name);
  }

  private static Table create(String name, Schema schema, int version, String... properties) {
    return create(name, schema, PartitionSpec.unpartitioned(), version, properties);
  }

  private static Types.NestedField req(int id, String name, Type type) {
    return Types.NestedField.required(id, name, type);
  }

  private static Types.NestedField opt(int id, String name, Type type) {
    return Types.NestedField.optional(id, name, type);
  }

  private static Record row(Schema schema, Object... values) {
    Record r = GenericRecord.create(schema);
    for (int i = 0; i < values.length; i++) {
      r.set(i, values[i]);
    }
    return r;
  }

  private static EncryptedOutputFile newFile(Table table, String kind) {
    String path = String.format("%s/data/%05d-%s.parquet", table.location(), fileNumber++, kind);
    return EncryptedFiles.encryptedOutput(table.io().newOutputFile(path), EncryptionKeyMetadata.EMPTY);
  }

  private static GenericAppenderFactory factory(Table table, int[] eqIds, Schema eqSchema, Schema posSchema) {
    return new GenericAppenderFactory(
        table, table.schema(), table.spec(), table.properties(), eqIds, eqSchema, posSchema);
  }

  private static StructLike key(Table table, Schema schema, Record r) {
    if (table.spec().isUnpartitioned()) {
      return null;
    }
    // The wrapper leaves nanosecond timestamps as they are; the transforms want them as longs.
    Record copy = r.copy();
    for (int i = 0; i < schema.columns().size(); i++) {
      if (schema.columns().get(i).type().typeId() == Type.TypeID.TIMESTAMP_NANO && copy.get(i) != null) {
        copy.set(i, nanos(copy.get(i)));
      }
    }
    PartitionKey key = new PartitionKey(table.spec(), schema);
    key.partition(new InternalRecordWrapper(schema.asStruct()).wrap(copy));
    return key;
  }

  private static long nanos(Object v) {
    return v instanceof OffsetDateTime
        ? DateTimeUtil.nanosFromTimestamptz((OffsetDateTime) v)
        : DateTimeUtil.nanosFromTimestamp((LocalDateTime) v);
  }

  /** One data file; every row must belong to the partition of the first. */
  private static DataFile data(Table table, Record... rows) throws Exception {
    StructLike part = key(table, table.schema(), rows[0]);
    DataWriter<Record> writer =
        factory(table, null, null, null).newDataWriter(newFile(table, "data"), FileFormat.PARQUET, part);
    try (writer) {
      for (Record r : rows) {
        writer.write(r);
      }
    }
    return writer.toDataFile();
  }

  /** An equality delete file on the named columns; each tuple holds one value per column. */
  private static DeleteFile eqDelete(Table table, StructLike part, String columns, Object[]... tuples)
      throws Exception {
    String[] names = columns.split(",");
    Schema schema = table.schema().select(names);
    // select() keeps the table's column order; the tuples follow the caller's.
    int[] ids = new int[names.length];
    for (int i = 0; i < names.length; i++) {
      ids[i] = table.schema().findField(names[i]).fieldId();
    }
    EqualityDeleteWriter<Record> writer =
        factory(table, ids, schema, null).newEqDeleteWriter(newFile(table, "eq"), FileFormat.PARQUET, part);
    try (writer) {
      for (Object[] tuple : tuples) {
        Record r = GenericRecord.create(schema);
        for (int i = 0; i < names.length; i++) {
          r.setField(names[i], tuple[i]);
        }
        writer.write(r);
      }
    }
    return writer.toDeleteFile();
  }

  private static DeleteFile posDelete(Table table, StructLike part, boolean withRow, Object... pathAndPosition)
      throws Exception {
    PositionDeleteWriter<Record> writer =
        factory(table, null, null, withRow ? table.schema() : null)
            .newPosDeleteWriter(newFile(table, "pos"), FileFormat.PARQUET, part);
    try (writer) {
      PositionDelete<Record> del = PositionDelete.create();
      int step = withRow ? 3 : 2;
      for (int i = 0; i < pathAndPosition.length; i += step) {
        del.set(
            (String) pathAndPosition[i],
            ((Number) pathAndPosition[i + 1]).longValue(),
            withRow ? (Record) pathAndPosition[i + 2] : null);
        writer.write(del);
      }
    }
    return writer.toDeleteFile();
  }

  private static Object[] t(Object... values) {
    return values;
  }

  private static void append(Table table, DataFile... files) {
    AppendFiles append = table.newAppend();
    for (DataFile f : files) {
      append.appendFile(f);
    }
    append.commit();
  }

  private static ByteBuffer bytes(String hex) {
    return ByteBuffer.wrap(HexFormat.of().parseHex(hex));
  }

  private static byte[] fixed(String hex) {
    return HexFormat.of().parseHex(hex);
  }

  private static OffsetDateTime utc(String text) {
    return OffsetDateTime.parse(text + "Z");
  }

  private static LocalDateTime local(String text) {
    return LocalDateTime.parse(text);
  }

  // ---- types ---------------------------------------------------------------------------------------------------

  private static void allTypes(String name, int version) throws Exception {
    Schema s =
        new Schema(
            req(1, "id", Types.IntegerType.get()),
            opt(2, "b", Types.BooleanType.get()),
            opt(3, "i", Types.IntegerType.get()),
            opt(4, "l", Types.LongType.get()),
            opt(5, "f", Types.FloatType.get()),
            opt(6, "d", Types.DoubleType.get()),
            opt(7, "dec9", Types.DecimalType.of(9, 2)),
            opt(8, "dec18", Types.DecimalType.of(18, 4)),
            opt(9, "dec38", Types.DecimalType.of(38, 10)),
            opt(10, "date", Types.DateType.get()),
            opt(11, "time", Types.TimeType.get()),
            opt(12, "ts", Types.TimestampType.withoutZone()),
            opt(13, "tstz", Types.TimestampType.withZone()),
            opt(14, "s", Types.StringType.get()),
            opt(15, "u", Types.UUIDType.get()),
            opt(16, "fx", Types.FixedType.ofLength(4)),
            opt(17, "bin", Types.BinaryType.get()));
    Table table = create(name, s, version);
    append(
        table,
        data(
            table,
            row(s, 1, true, 34, 34L, 1.5f, -2.25d, new BigDecimal("14.20"), new BigDecimal("-14.2000"),
                new BigDecimal("12345678901234567890.0123456789"), LocalDate.parse("2017-11-16"),
                LocalTime.parse("22:31:08.123456"), local("2017-11-16T22:31:08.123456"), utc("2017-11-16T22:31:08.000001"),
                "iceberg", UUID.fromString("f79c3e09-677c-4bbd-a479-3f349cb785e7"), fixed("00010203"), bytes("00ff10")),
            row(s, 2, false, Integer.MIN_VALUE, Long.MIN_VALUE, -0.0f, -0.0d, new BigDecimal("-9999999.99"),
                new BigDecimal("-99999999999999.9999"), new BigDecimal("-9999999999999999999999999999.9999999999"),
                LocalDate.parse("0001-01-01"), LocalTime.parse("00:00:00"), local("1969-12-31T23:59:59.999999"),
                utc("1900-01-01T00:00:00"), "", new UUID(0, 0), fixed("00000000"), bytes("")),
            row(s, 3, true, Integer.MAX_VALUE, Long.MAX_VALUE, Float.MAX_VALUE, Double.MIN_VALUE,
                new BigDecimal("9999999.99"), new BigDecimal("99999999999999.9999"),
                new BigDecimal("9999999999999999999999999999.9999999999"), LocalDate.parse("9999-12-31"),
                LocalTime.parse("23:59:59.999999"), local("9999-12-31T23:59:59.999999"), utc("2262-04-12T00:00:00"),
                "h\u00e9llo \u4e16\u754c \ud83e\uddca \"quoted\"\n\ttab", new UUID(-1, -1), fixed("ffffffff"), bytes("ffffffffffffffffffffffffffffffffff"))));
    append(
        table,
        data(
            table,
            row(s, 4, null, null, null, Float.NaN, Double.NaN, null, null, null, null, null, null, null, null, null,
                null, null),
            row(s, 5, null, 0, 0L, Float.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, new BigDecimal("0.00"),
                new BigDecimal("0.0000"), new BigDecimal("0E-10"), LocalDate.parse("1970-01-01"),
                LocalTime.parse("12:00:00"), local("1970-01-01T00:00:00"), utc("1970-01-01T00:00:00"), "a'b;c\\d",
                UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"), fixed("deadbeef"), bytes("01"))));
  }

  private static void typesV3Nanos() throws Exception {
    Schema s =
        new Schema(
            req(1, "id", Types.IntegerType.get()),
            opt(2, "ns", Types.TimestampNanoType.withoutZone()),
            opt(3, "nstz", Types.TimestampNanoType.withZone()));
    PartitionSpec spec = PartitionSpec.builderFor(s).day("ns").bucket("nstz", 4).build();
    Table table = create("types_v3_nanos", s, spec, 3);
    append(
        table,
        data(table, row(s, 1, local("2024-02-29T12:34:56.123456789"), utc("2024-02-29T12:34:56.123456789"))),
        data(table, row(s, 2, local("1969-12-31T23:59:59.999999999"), utc("1969-12-31T23:59:59.999999999"))),
        data(table, row(s, 3, local("2262-04-11T23:47:16.854775807"), utc("1677-09-21T00:12:43.145224193"))),
        data(table, row(s, 4, null, null)));
  }

  private static void typesV3Unknown() throws Exception {
    Schema s =
        new Schema(
            req(1, "id", Types.IntegerType.get()),
            opt(2, "nothing", Types.UnknownType.get()),
            opt(3, "s", Types.StringType.get()),
            opt(4, "st", Types.StructType.of(opt(5, "a", Types.IntegerType.get()), opt(6, "u", Types.UnknownType.get()))));
    Table table = create("types_v3_unknown", s, 3);
    Record st = GenericRecord.create(s.findType("st").asStructType());
    st.setField("a", 7);
    append(table, data(table, row(s, 1, null, "x", st), row(s, 2, null, null, null)));
  }

  private static void typesV3Variant() throws Exception {
    Schema s = new Schema(req(1, "id", Types.IntegerType.get()), opt(2, "v", Types.VariantType.get()));
    Table table = create("types_v3_variant", s, 3);
    VariantMetadata empty = Variants.emptyMetadata();
    VariantMetadata names = Variants.metadata("a", "b");
    ShreddedObject object = Variants.object(names);
    object.put("a", Variants.of(34));
    object.put("b", Variants.of("iceberg"));
    append(
        table,
        data(
            table,
            row(s, 1, Variant.of(empty, Variants.of("text"))),
            row(s, 2, Variant.of(empty, Variants.of(-7))),
            row(s, 3, Variant.of(names, object)),
            row(s, 4, Variant.of(empty, Variants.ofNull())),
            row(s, 5, (Object) null)));
  }

  /** No rows: an engine that cannot hold these types must still load the table. */
  private static void typesV3Geo() {
    Schema s =
        new Schema(
            req(1, "id", Types.IntegerType.get()),
            opt(2, "geom", Types.GeometryType.crs84()),
            opt(3, "geog", Types.GeographyType.crs84()));
    create("types_v3_geo", s, 3);
  }

  // ---- defaults ------------------------------------------------------------------------------------------------

  private static void defaultsV3() throws Exception {
    Schema s =
        new Schema(
            req(1, "id", Types.IntegerType.get()),
            opt(2, "st", Types.StructType.of(opt(3, "a", Types.IntegerType.get()))));
    Table table = create("defaults_v3", s, 3);
    Record st = GenericRecord.create(s.findType("st").asStructType());
    st.setField("a", 1);
    append(table, data(table, row(s, 1, st), row(s, 2, (Object) null)));
    table
        .updateSchema()
        .addColumn("i", Types.IntegerType.get(), Literal.of(42))
        .addColumn("s", Types.StringType.get(), Literal.of("d\u00e9faut"))
        .addColumn("dec", Types.DecimalType.of(9, 2), Literal.of(new BigDecimal("3.14")))
        .addColumn("day", Types.DateType.get(), Literal.of("2024-02-29").to(Types.DateType.get()))
        .addColumn("ts", Types.TimestampType.withZone(),
            Literal.of("2024-02-29T12:34:56.789+00:00").to(Types.TimestampType.withZone()))
        .addColumn("d", Types.DoubleType.get(), Literal.of(-0.5d))
        .addColumn("b", Types.BooleanType.get(), Literal.of(true))
        .addColumn("bin", Types.BinaryType.get(), Literal.of(bytes("00ff")))
        .addColumn("st", "n", Types.LongType.get(), Literal.of(99L))
        .addRequiredColumn("must", Types.StringType.get(), Literal.of("always"))
        .addColumn("nodefault", Types.StringType.get())
        .commit();
    Schema s2 = table.schema();
    Record st2 = GenericRecord.create(s2.findType("st").asStructType());
    st2.setField("a", 3);
    st2.setField("n", 4L);
    append(
        table,
        data(
            table,
            row(s2, 3, st2, 7, "set", new BigDecimal("1.00"), LocalDate.parse("2000-01-01"), utc("2000-01-01T00:00:00"),
                1.5d, false, bytes("aa"), "given", "x"),
            row(s2, 4, null, null, null, null, null, null, null, null, null, "null above", null)));
    // The write default changes later: rows of the first file still show the initial default.
    table.updateSchema().updateColumnDefault("i", Literal.of(1000)).commit();
  }

  // ---- equality deletes ----------------------------------------------------------------------------------------

  private static final Schema KV =
      new Schema(
          req(1, "id", Types.IntegerType.get()),
          opt(2, "k", Types.StringType.get()),
          opt(3, "v", Types.IntegerType.get()));

  private static Record kv(Integer id, String k, Integer v) {
    return row(KV, id, k, v);
  }

  private static void eqGlobal() throws Exception {
    Table table = create("eq_global", KV, 2);
    append(table, data(table, kv(1, "a", 10), kv(2, "b", 20), kv(3, "c", 30)), data(table, kv(4, "a", 40), kv(5, "e", 50)));
    table.newRowDelta().addDeletes(eqDelete(table, null, "k", t("a"), t("zzz"))).commit();
    append(table, data(table, kv(6, "f", 60)));
    table.newRowDelta().addDeletes(eqDelete(table, null, "id", t(2), t(6))).commit();
  }

  /** Deletes written under the unpartitioned spec are global; those of a partitioned spec stay in their partition. */
  private static void eqPartitioned() throws Exception {
    Table table = create("eq_partitioned", KV, 2);
    append(table, data(table, kv(1, "a", 1), kv(2, "b", 2)));
    table.updateSpec().addField("k").commit();
    DataFile a = data(table, kv(3, "a", 3), kv(4, "a", 4));
    DataFile b = data(table, kv(5, "b", 3), kv(6, "b", 4));
    append(table, a, b);
    // v = 3 in partition k=a only: id 3 goes, id 5 (k=b) stays.
    table.newRowDelta().addDeletes(eqDelete(table, a.partition(), "v", t(3))).commit();
    // v = 1 in partition k=a of the new spec: id 1 was written under the old spec and stays.
    table.newRowDelta().addDeletes(eqDelete(table, a.partition(), "v", t(1))).commit();
    // Global: back to no partition fields, v = 4 and v = 2 anywhere.
    table.updateSpec().removeField("k").commit();
    table.newRowDelta().addDeletes(eqDelete(table, null, "v", t(4), t(2))).commit();
  }

  private static void eqReinsert() throws Exception {
    Table table = create("eq_reinsert", KV, 2);
    append(table, data(table, kv(1, "a", 1), kv(2, "b", 1)));
    // An upsert in one commit: the delete has the same sequence number as the new row and must not remove it.
    table.newRowDelta().addDeletes(eqDelete(table, null, "k", t("a"))).addRows(data(table, kv(3, "a", 2))).commit();
    table.newRowDelta().addDeletes(eqDelete(table, null, "k", t("a"))).commit();
    append(table, data(table, kv(4, "a", 3)));
    table.newRowDelta().addDeletes(eqDelete(table, null, "k", t("b"))).addRows(data(table, kv(5, "b", 2))).commit();
  }

  private static void eqNullKeys() throws Exception {
    Table table = create("eq_null_keys", KV, 2);
    append(table, data(table, kv(1, null, 1), kv(2, "a", null), kv(3, null, null), kv(4, "a", 4), kv(5, "", 5)));
    table.newRowDelta().addDeletes(eqDelete(table, null, "k,v", t(null, null), t("a", null), t("x", 1))).commit();
    append(table, data(table, kv(6, null, 6), kv(7, "b", 7)));
    table.newRowDelta().addDeletes(eqDelete(table, null, "k", t((Object) null))).commit();
    append(table, data(table, kv(8, null, 8)));
  }

  private static void eqRenamed() throws Exception {
    Table table = create("eq_renamed", KV, 2);
    append(table, data(table, kv(1, "a", 1), kv(2, "b", 2), kv(3, "c", 3)));
    table.newRowDelta().addDeletes(eqDelete(table, null, "k", t("a"))).commit();
    table.updateSchema().renameColumn("k", "key_renamed").commit();
    // A new column takes the old name: the delete goes by field id, never by name.
    table.updateSchema().addColumn("k", Types.StringType.get()).commit();
    append(table, data(table, row(table.schema(), 4, "a", 4, "b")));
    table.newRowDelta().addDeletes(eqDelete(table, null, "key_renamed", t("b"))).commit();
  }

  /** The key column was widened after the delete and before the next: int keys in old files, long keys in new ones. */
  private static void eqWidened() throws Exception {
    Table table = create("eq_widened", KV, 2);
    append(table, data(table, kv(1, "a", 1), kv(2, "b", 2), kv(3, "c", 3)));
    table.newRowDelta().addDeletes(eqDelete(table, null, "v", t(1))).commit();
    table.updateSchema().updateColumn("v", Types.LongType.get()).commit();
    append(table, data(table, row(table.schema(), 4, "d", 5_000_000_000L)));
    table.newRowDelta().addDeletes(eqDelete(table, null, "v", t(2L), t(5_000_000_000L))).commit();
  }

  /** A key column that older data files lack: the missing value is null and must match a null key. */
  private static void eqAddedColumn() throws Exception {
    Table table = create("eq_added_column", KV, 2);
    append(table, data(table, kv(1, "a", 1), kv(2, "b", 2)));
    table.updateSchema().addColumn("w", Types.StringType.get()).commit();
    Schema s = table.schema();
    append(table, data(table, row(s, 3, "a", 1, null), row(s, 4, "a", 1, "w")));
    table.newRowDelta().addDeletes(eqDelete(table, null, "k,w", t("a", null))).commit();
  }

  private static void eqMultiple() throws Exception {
    Table table = create("eq_multiple", KV, 2);
    DataFile f = data(table, kv(1, "a", 1), kv(2, "a", 2), kv(3, "b", 1), kv(4, "b", 2), kv(5, "c", 3), kv(6, "d", 4));
    append(table, f);
    // Two key sets, two files for one of them, and position deletes, all in one snapshot.
    table
        .newRowDelta()
        .addDeletes(eqDelete(table, null, "k,v", t("a", 1), t("b", 3)))
        .addDeletes(eqDelete(table, null, "k,v", t("b", 2)))
        .addDeletes(eqDelete(table, null, "id", t(5)))
        .addDeletes(posDelete(table, null, false, f.location(), 5))
        .commit();
  }

  private static void eqTypes() throws Exception {
    Table table = create("eq_types", new Schema(
        req(1, "id", Types.IntegerType.get()),
        opt(2, "d", Types.DoubleType.get()),
        opt(3, "ts", Types.TimestampType.withZone()),
        opt(4, "bin", Types.BinaryType.get()),
        opt(5, "dec", Types.DecimalType.of(12, 3))), 2);
    Schema ts = table.schema();
    append(table, data(table,
        row(ts, 1, Double.NaN, utc("2024-01-01T00:00:00"), bytes("01"), new BigDecimal("1.000")),
        row(ts, 2, 0.0d, utc("2024-01-02T00:00:00"), bytes("02"), new BigDecimal("2.000")),
        row(ts, 3, 1.5d, utc("2024-01-03T00:00:00"), bytes("03"), new BigDecimal("3.000")),
        row(ts, 4, null, utc("2024-01-04T00:00:00"), bytes(""), new BigDecimal("4.000"))));
    table.newRowDelta()
        .addDeletes(eqDelete(table, null, "d", t(Double.NaN)))
        .addDeletes(eqDelete(table, null, "ts", t(utc("2024-01-02T00:00:00"))))
        .addDeletes(eqDelete(table, null, "bin", t(bytes(""))))
        .addDeletes(eqDelete(table, null, "dec", t(new BigDecimal("9.000"))))
        .commit();
  }

  // ---- position deletes and deletion vectors -----------------------------------------------------------------

  private static void posDeletesWithRow() throws Exception {
    Table table = create("pos_deletes_with_row", KV, 2);
    DataFile f = data(table, kv(1, "a", 1), kv(2, "b", 2), kv(3, "c", 3));
    DataFile g = data(table, kv(4, "d", 4), kv(5, "e", 5));
    append(table, f, g);
    table.newRowDelta()
        .addDeletes(posDelete(table, null, true, f.location(), 1, kv(2, "b", 2), g.location(), 0, kv(4, "d", 4)))
        .commit();
  }

  /** A position delete committed together with the data file that it deletes from applies: seq <= seq. */
  private static void posDeletesSameCommit() throws Exception {
    Table table = create("pos_deletes_same_commit", KV, 2);
    DataFile f = data(table, kv(1, "a", 1), kv(2, "b", 2), kv(3, "c", 3));
    table.newRowDelta().addRows(f).addDeletes(posDelete(table, null, false, f.location(), 0))
        .addDeletes(eqDelete(table, null, "k", t("c"))).commit();
  }

  /** v2 position and equality deletes, then upgraded to v3 and given deletion vectors. */
  private static void mixedDeletes() throws Exception {
    Table table = create("mixed_deletes_v2_v3", KV, 2);
    DataFile f = data(table, kv(1, "a", 1), kv(2, "b", 2), kv(3, "c", 3), kv(4, "d", 4));
    DataFile g = data(table, kv(5, "e", 5), kv(6, "f", 6), kv(7, "g", 7), kv(8, "h", 8));
    append(table, f, g);
    table.newRowDelta().addDeletes(posDelete(table, null, false, f.location(), 0, g.location(), 0)).commit();
    table.newRowDelta().addDeletes(eqDelete(table, null, "k", t("b"), t("f"))).commit();
    table.updateProperties().set("format-version", "3").commit();
    // The vector of file g holds the older position too, as v3 asks; file f keeps its v2 deletes.
    table.newRowDelta().addDeletes(vector(table, g, 0, 2)).commit();
    append(table, data(table, kv(9, "b", 9), kv(10, "j", 10)));
    table.newRowDelta().addDeletes(eqDelete(table, null, "k", t("j"))).commit();
  }

  private static DeleteFile vector(Table table, DataFile file, long... positions) throws Exception {
    org.apache.iceberg.io.OutputFileFactory out =
        org.apache.iceberg.io.OutputFileFactory.builderFor(table, 1, fileNumber++).format(FileFormat.PUFFIN).build();
    org.apache.iceberg.deletes.BaseDVFileWriter writer =
        new org.apache.iceberg.deletes.BaseDVFileWriter(out, path -> null);
    try (writer) {
      for (long p : positions) {
        writer.delete(file.location(), p, table.spec(), null);
      }
    }
    return writer.result().deleteFiles().get(0);
  }

  /** A vector with array, bitmap and run containers over several 65,536-row chunks; one Puffin file, two blobs. */
  private static void dvContainers() throws Exception {
    Schema s = new Schema(req(1, "id", Types.IntegerType.get()));
    Table table = create("dv_containers", s, 3, "write.parquet.compression-codec", "zstd");
    List<DataFile> files = new ArrayList<>();
    int[] sizes = {200_000, 1_000};
    int id = 0;
    for (int size : sizes) {
      Record[] rows = new Record[size];
      for (int i = 0; i < size; i++) {
        rows[i] = row(s, id++ / 100); // repeats, so that the file stays small
      }
      files.add(data(table, rows));
    }
    append(table, files.toArray(new DataFile[0]));
    org.apache.iceberg.io.OutputFileFactory out =
        org.apache.iceberg.io.OutputFileFactory.builderFor(table, 1, fileNumber++).format(FileFormat.PUFFIN).build();
    org.apache.iceberg.deletes.BaseDVFileWriter writer =
        new org.apache.iceberg.deletes.BaseDVFileWriter(out, path -> null);
    RowDelta delta = table.newRowDelta();
    try (writer) {
      String a = files.get(0).location();
      for (long p = 10; p < 60_000; p++) { // a run
        writer.delete(a, p, table.spec(), null);
      }
      for (long p = 65_536; p < 131_072; p += 2) { // a bitmap
        writer.delete(a, p, table.spec(), null);
      }
      for (long p = 131_072; p < 200_000; p += 997) { // an array
        writer.delete(a, p, table.spec(), null);
      }
      String b = files.get(1).location();
      writer.delete(b, 0, table.spec(), null);
      writer.delete(b, 999, table.spec(), null);
    }
    writer.result().deleteFiles().forEach(delta::addDeletes);
    delta.commit();
  }

  // ---- partitions ----------------------------------------------------------------------------------------------

  /** Bucket, truncate and identity on the types that Spark cannot write. */
  private static void partitionJavaTypes() throws Exception {
    Schema s =
        new Schema(
            req(1, "id", Types.IntegerType.get()),
            opt(2, "u", Types.UUIDType.get()),
            opt(3, "t", Types.TimeType.get()),
            opt(4, "fx", Types.FixedType.ofLength(3)),
            opt(5, "bin", Types.BinaryType.get()));
    PartitionSpec spec =
        PartitionSpec.builderFor(s)
            .bucket("u", 8).bucket("t", 4).bucket("fx", 4).truncate("bin", 2).identity("u").identity("t").identity("fx")
            .build();
    Table table = create("part_java_types", s, spec, 2);
    append(
        table,
        data(table, row(s, 1, UUID.fromString("f79c3e09-677c-4bbd-a479-3f349cb785e7"), LocalTime.parse("22:31:08.5"), fixed("000102"), bytes("00ff10"))),
        data(table, row(s, 2, null, null, null, null)),
        data(table, row(s, 3, new UUID(0, 1), LocalTime.parse("00:00:00"), fixed("fffefd"), bytes("aa"))));
  }

  /** An identity partition on an int that becomes a long: old manifests hold int tuples and int bounds. */
  private static void partitionWidened() throws Exception {
    Schema s = new Schema(req(1, "id", Types.IntegerType.get()), opt(2, "p", Types.IntegerType.get()), opt(3, "f", Types.FloatType.get()), opt(4, "dec", Types.DecimalType.of(5, 2)));
    Table table = create("part_widened", s, PartitionSpec.builderFor(s).identity("p").bucket("p", 4).identity("f").identity("dec").build(), 2);
    append(table, data(table, row(s, 1, 7, 0.5f, new BigDecimal("1.25"))), data(table, row(s, 2, -1, 1.5f, new BigDecimal("-1.25"))));
    table.updateSchema().updateColumn("p", Types.LongType.get()).updateColumn("f", Types.DoubleType.get()).updateColumn("dec", Types.DecimalType.of(20, 2)).commit();
    Schema w = table.schema();
    append(table, data(table, row(w, 3, 7L, 0.5d, new BigDecimal("1.25"))), data(table, row(w, 4, 1L << 40, 1e300d, new BigDecimal("123456789012345678.00"))));
  }

  // ---- empty ---------------------------------------------------------------------------------------------------

  private static void emptyTables() {
    create("empty_v1", KV, 1);
    create("empty_v2", KV, 2);
    create("empty_v3", KV, 3);
  }

  /** An append of nothing: a snapshot with an empty manifest list. */
  private static void emptySnapshot() throws Exception {
    Table table = create("empty_snapshot", KV, 2);
    table.newAppend().commit();
    DataFile f = data(table, kv(1, "a", 1));
    append(table, f);
    table.newDelete().deleteFromRowFilter(Expressions.alwaysTrue()).commit();
  }

  private static void identifierFields() throws Exception {
    Schema s = new Schema(Arrays.asList(req(1, "id", Types.IntegerType.get()), req(2, "st", Types.StructType.of(req(3, "k", Types.StringType.get()))), opt(4, "v", Types.IntegerType.get())), java.util.Set.of(1, 3));
    Table table = create("identifier_fields", s, 2, "comment", "identifier fields at the top and inside a struct");
    Record st = GenericRecord.create(s.findType("st").asStructType());
    st.setField("k", "a");
    append(table, data(table, row(s, 1, st, 1)));
    table.updateSchema().updateColumnDoc("v", "a documented column").commit();
  }

  // ---- main ----------------------------------------------------------------------------------------------------

  private interface Maker {
    void make() throws Exception;
  }

  public static void main(String[] args) throws Exception {
    Map<String, Maker> makers = new java.util.LinkedHashMap<>();
    makers.put("types_all_v1", () -> allTypes("types_all_v1", 1));
    makers.put("types_all_v2", () -> allTypes("types_all_v2", 2));
    makers.put("types_all_v3", () -> allTypes("types_all_v3", 3));
    makers.put("types_v3_nanos", JavaTables::typesV3Nanos);
    makers.put("types_v3_unknown", JavaTables::typesV3Unknown);
    makers.put("types_v3_variant", JavaTables::typesV3Variant);
    makers.put("types_v3_geo", JavaTables::typesV3Geo);
    makers.put("defaults_v3", JavaTables::defaultsV3);
    makers.put("eq_global", JavaTables::eqGlobal);
    makers.put("eq_partitioned", JavaTables::eqPartitioned);
    makers.put("eq_reinsert", JavaTables::eqReinsert);
    makers.put("eq_null_keys", JavaTables::eqNullKeys);
    makers.put("eq_renamed", JavaTables::eqRenamed);
    makers.put("eq_widened", JavaTables::eqWidened);
    makers.put("eq_added_column", JavaTables::eqAddedColumn);
    makers.put("eq_multiple", JavaTables::eqMultiple);
    makers.put("eq_types", JavaTables::eqTypes);
    makers.put("pos_deletes_with_row", JavaTables::posDeletesWithRow);
    makers.put("pos_deletes_same_commit", JavaTables::posDeletesSameCommit);
    makers.put("mixed_deletes_v2_v3", JavaTables::mixedDeletes);
    makers.put("dv_containers", JavaTables::dvContainers);
    makers.put("part_java_types", JavaTables::partitionJavaTypes);
    makers.put("part_widened", JavaTables::partitionWidened);
    makers.put("empty_v1,empty_v2,empty_v3", JavaTables::emptyTables);
    makers.put("empty_snapshot", JavaTables::emptySnapshot);
    makers.put("identifier_fields", JavaTables::identifierFields);
    boolean failed = false;
    for (Map.Entry<String, Maker> e : makers.entrySet()) {
      if (args.length > 0 && !Arrays.asList(args).contains(e.getKey())) {
        continue;
      }
      try {
        e.getValue().make();
        System.out.println("made " + e.getKey());
      } catch (Throwable x) {
        failed = true;
        System.err.println("FAILED " + e.getKey());
        x.printStackTrace();
      }
    }
    System.exit(failed ? 1 : 0);
  }
}
