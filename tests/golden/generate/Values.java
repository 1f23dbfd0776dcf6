// Value-level golden files from Iceberg's Java code:
//   Values <transforms.json> <values.json>
// Transforms: every transform on every type it accepts. Values: single-value serialization, promoted bounds, truncated bounds.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.iceberg.SingleValueParser;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.IdentityPartitionConverters;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.expressions.Literal;
import org.apache.iceberg.transforms.Transform;
import org.apache.iceberg.transforms.Transforms;
import org.apache.iceberg.types.Conversions;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.Types;
import org.apache.iceberg.util.BinaryUtil;
import org.apache.iceberg.util.BucketUtil;
import org.apache.iceberg.util.UnicodeUtil;

public final class Values {
  /** Values in Iceberg's internal form (longs for timestamps, ints for dates, ByteBuffer for binary). */
  private static final Map<Type, List<Object>> SAMPLES = new LinkedHashMap<>();

  private static ByteBuffer bytes(String hex) {
    return ByteBuffer.wrap(HexFormat.of().parseHex(hex));
  }

  private static void sample(Type type, Object... values) {
    SAMPLES.put(type, Arrays.asList(values));
  }

  private static long micros(String iso) {
    return (Long) Literal.of(iso).to(Types.TimestampType.withoutZone()).value();
  }

  private static long nanos(String iso) {
    return (Long) Literal.of(iso).to(Types.TimestampNanoType.withoutZone()).value();
  }

  private static int day(String iso) {
    return (Integer) Literal.of(iso).to(Types.DateType.get()).value();
  }

  private static void fill() {
    sample(Types.BooleanType.get(), true, false);
    sample(Types.IntegerType.get(), 0, 1, -1, 9, 10, -10, -11, 34, 100, -100, Integer.MAX_VALUE, Integer.MIN_VALUE);
    sample(Types.LongType.get(), 0L, 1L, -1L, 9L, 10L, -10L, -11L, 34L, 5_000_000_000L, -5_000_000_000L, Long.MAX_VALUE, Long.MIN_VALUE);
    sample(Types.FloatType.get(), 0f, -0f, 1f, -1.5f, 0.1f, Float.MIN_VALUE, Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN);
    sample(Types.DoubleType.get(), 0d, -0d, 1d, -1.5d, 0.1d, 1e300d, Double.MIN_VALUE, Double.MAX_VALUE, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NaN);
    sample(Types.DecimalType.of(9, 2), dec("14.20"), dec("0.00"), dec("0.01"), dec("-0.01"), dec("10.65"), dec("-10.65"), dec("1.27"), dec("1.28"), dec("-1.28"), dec("-1.29"), dec("9999999.99"), dec("-9999999.99"));
    sample(Types.DecimalType.of(18, 4), dec("14.2000"), dec("-99999999999999.9999"), dec("0.0001"));
    sample(Types.DecimalType.of(38, 10), dec("0.0000000000"), dec("-0.0000000001"), dec("12345678901234567890.0123456789"), dec("9999999999999999999999999999.9999999999"), dec("-9999999999999999999999999999.9999999999"));
    sample(Types.DecimalType.of(5, 0), dec("0"), dec("7"), dec("-128"), dec("128"), dec("99999"));
    sample(Types.DateType.get(), day("1970-01-01"), day("1969-12-31"), day("2017-11-16"), day("2024-02-29"), day("1969-01-01"), day("1968-12-31"), day("1900-03-01"), day("0001-01-01"), day("9999-12-31"));
    sample(Types.TimeType.get(), 0L, 1L, 81_068_000_000L, 81_068_123_456L, 86_399_999_999L);
    for (Type.PrimitiveType t : new Type.PrimitiveType[] {Types.TimestampType.withoutZone(), Types.TimestampType.withZone()}) {
      sample(t, 0L, -1L, 1L, micros("2017-11-16T22:31:08"), micros("2017-11-16T22:31:08.123456"), micros("1969-12-31T23:59:59.999999"), micros("1969-12-31T23:00:00"), micros("1969-12-31T22:59:59.999999"),
          micros("1969-01-01T00:00:00"), micros("1968-12-31T23:59:59"), micros("1900-03-01T00:00:00"), micros("2024-02-29T12:34:56.1"), micros("9999-12-31T23:59:59.999999"), micros("0001-01-01T00:00:00"));
    }
    for (Type.PrimitiveType t : new Type.PrimitiveType[] {Types.TimestampNanoType.withoutZone(), Types.TimestampNanoType.withZone()}) {
      sample(t, 0L, -1L, 1L, 999L, -999L, -1000L, -1001L, nanos("2017-11-16T22:31:08"), nanos("2017-11-16T22:31:08.123456789"), nanos("1969-12-31T23:00:00"), nanos("1969-12-31T22:59:59.999999999"), Long.MAX_VALUE, nanos("1900-03-01T00:00:00"));
    }
    sample(Types.StringType.get(), "", "a", "iceberg", "ab", "abc", "abcd", "h\u00e9llo", "\u4e16\u754c", "\ud83e\uddca\ud83e\uddcax", "a\ud83e\uddcab", "e\u0301x", "\u0000x", "with space/and%25=&+", "0123456789abcdefghij", "\uffff", "\ud7ff\ue000", "\udbff\udfff");
    sample(Types.UUIDType.get(), UUID.fromString("f79c3e09-677c-4bbd-a479-3f349cb785e7"), new UUID(0, 0), new UUID(-1, -1), UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"));
    sample(Types.FixedType.ofLength(4), bytes("00010203"), bytes("00000000"), bytes("ffffffff"));
    sample(Types.BinaryType.get(), bytes(""), bytes("00"), bytes("00010203"), bytes("ff"), bytes("0102030405060708090a0b0c0d0e0f10111213"), bytes("ffffffffffffffffffffffffffffffffffff"));
  }

  private static BigDecimal dec(String s) {
    return new BigDecimal(s);
  }

  /** An internal value in the golden encoding. */
  private static JsonNode encode(Type type, Object internal) {
    if (internal == null) {
      return Json.F.nullNode();
    }
    if (type.typeId() == Type.TypeID.TIMESTAMP_NANO) {
      boolean zone = ((Types.TimestampNanoType) type).shouldAdjustToUTC();
      return Json.value(type, zone
          ? (Object) org.apache.iceberg.util.DateTimeUtil.timestamptzFromNanos((Long) internal)
          : org.apache.iceberg.util.DateTimeUtil.timestampFromNanos((Long) internal));
    }
    Object generic = IdentityPartitionConverters.convertConstant(type, internal);
    return Json.value(type, generic);
  }

  @SuppressWarnings({"unchecked", "rawtypes"})
  private static ArrayNode transforms() {
    ArrayNode out = Json.F.arrayNode();
    List<String> names = new ArrayList<>(List.of("identity", "void", "year", "month", "day", "hour"));
    for (int n : new int[] {1, 2, 16, 1000, Integer.MAX_VALUE}) {
      names.add("bucket[" + n + "]");
    }
    for (int w : new int[] {1, 2, 3, 10, 50, 100}) {
      names.add("truncate[" + w + "]");
    }
    for (Map.Entry<Type, List<Object>> sample : SAMPLES.entrySet()) {
      Type type = sample.getKey();
      for (String name : names) {
        Transform transform = Transforms.fromString(name);
        if (!transform.canTransform(type)) {
          out.addObject().put("type", type.toString()).put("transform", name).put("accepted", false);
          continue;
        }
        Type result = transform.getResultType(type);
        ObjectNode one = out.addObject();
        one.put("type", type.toString()).put("transform", name).put("accepted", true).put("result_type", result.toString());
        ArrayNode cases = one.putArray("cases");
        List<Object> values = new ArrayList<>(sample.getValue());
        values.add(null);
        for (Object v : values) {
          ObjectNode c = cases.addObject();
          c.set("value", encode(type, v));
          try {
            Object r = transform.bind(type).apply(v);
            c.set("result", encode(result, r));
            if (r instanceof Integer || r instanceof Long) {
              c.put("ordinal", ((Number) r).longValue());
            }
            c.put("human", transform.toHumanString(result, r));
          } catch (ArithmeticException | IllegalArgumentException e) {
            c.put("error", e.toString());
          }
        }
      }
    }
    return out;
  }

  private static ArrayNode hashes() {
    ArrayNode out = Json.F.arrayNode();
    for (Map.Entry<Type, List<Object>> sample : SAMPLES.entrySet()) {
      Type type = sample.getKey();
      for (Object v : sample.getValue()) {
        int h;
        switch (type.typeId()) {
          case BOOLEAN:
            continue;
          case INTEGER:
          case DATE:
            h = BucketUtil.hash((Integer) v);
            break;
          case LONG:
          case TIME:
          case TIMESTAMP:
            h = BucketUtil.hash((Long) v);
            break;
          case TIMESTAMP_NANO:
            h = BucketUtil.hash(Math.floorDiv((Long) v, 1000L));
            break;
          case FLOAT:
            h = BucketUtil.hash((Float) v);
            break;
          case DOUBLE:
            h = BucketUtil.hash((Double) v);
            break;
          case DECIMAL:
            h = BucketUtil.hash((BigDecimal) v);
            break;
          case STRING:
            h = BucketUtil.hash((CharSequence) v);
            break;
          case UUID:
            h = BucketUtil.hash((UUID) v);
            break;
          default:
            h = BucketUtil.hash((ByteBuffer) v);
        }
        ObjectNode one = out.addObject().put("type", type.toString());
        one.set("value", encode(type, v));
        one.put("hash", h);
      }
    }
    return out;
  }

  private static ArrayNode singleValues() throws Exception {
    ArrayNode out = Json.F.arrayNode();
    for (Map.Entry<Type, List<Object>> sample : SAMPLES.entrySet()) {
      for (Object v : sample.getValue()) {
        Type type = sample.getKey();
        ObjectNode one = out.addObject().put("type", type.toString());
        one.set("value", encode(type, v));
        one.put("binary", Json.hex(Conversions.toByteBuffer(type, v)));
        one.set("json", parse(type, v));
      }
    }
    // Nested values have a JSON form only.
    Types.StructType struct = Types.StructType.of(Types.NestedField.optional(1, "a", Types.IntegerType.get()), Types.NestedField.optional(2, "b", Types.StringType.get()));
    Record r = GenericRecord.create(struct);
    r.setField("a", 1);
    r.setField("b", "x");
    nested(out, struct, r);
    nested(out, Types.ListType.ofOptional(3, Types.IntegerType.get()), Arrays.asList(1, 2, 3));
    Map<String, Integer> map = new LinkedHashMap<>();
    map.put("a", 1);
    map.put("b", 2);
    nested(out, Types.MapType.ofOptional(4, 5, Types.StringType.get(), Types.IntegerType.get()), map);
    return out;
  }

  private static void nested(ArrayNode out, Type type, Object v) throws Exception {
    ObjectNode one = out.addObject();
    one.put("type", type.toString());
    one.set("value", Json.value(type, v));
    one.set("json", parse(type, v));
  }

  private static JsonNode parse(Type type, Object v) throws Exception {
    try {
      return Json.MAPPER.readTree(SingleValueParser.toJson(type, v));
    } catch (Exception e) {
      return Json.F.nullNode(); // NaN and the infinities have no JSON form
    }
  }

  /** Bounds written under an older type, as a reader of the promoted type must take them. */
  private static ArrayNode promoted() {
    ArrayNode out = Json.F.arrayNode();
    Object[][] cases = {
      {Types.IntegerType.get(), Types.LongType.get(), 34},
      {Types.IntegerType.get(), Types.LongType.get(), -1},
      {Types.IntegerType.get(), Types.LongType.get(), Integer.MIN_VALUE},
      {Types.FloatType.get(), Types.DoubleType.get(), 0.1f},
      {Types.FloatType.get(), Types.DoubleType.get(), -0f},
      {Types.FloatType.get(), Types.DoubleType.get(), Float.NEGATIVE_INFINITY},
      {Types.DecimalType.of(9, 2), Types.DecimalType.of(38, 2), dec("14.20")},
      {Types.DecimalType.of(9, 2), Types.DecimalType.of(38, 2), dec("-0.01")},
    };
    for (Object[] c : cases) {
      ByteBuffer old = Conversions.toByteBuffer((Type) c[0], c[2]);
      Object read = Conversions.fromByteBuffer((Type) c[1], old.duplicate());
      ObjectNode one = out.addObject().put("written_as", c[0].toString()).put("read_as", c[1].toString()).put("binary", Json.hex(old));
      one.set("value", encode((Type) c[1], read));
    }
    return out;
  }

  private static ArrayNode truncations() {
    ArrayNode out = Json.F.arrayNode();
    String max = "\udbff\udfff"; // U+10FFFF
    String[] strings = {
      "", "a", "abcdefghijklmnop", "abcdefghijklmnopq", "abcdefghijklmno\uffffq", "h\u00e9llo w\u00f6rld \u4e16\u754c \ud83e\uddca\ud83e\uddca",
      "ab" + max + "x", max + max + max, max, "a" + max + max + max, max + "a" + max, "\ud7ff\ud7ff\ud7ff", "a\ud7ffb", "\uffff\uffffz", "ab\ud83e\uddcacd", "\u007f\u007fz", "zz\u07ffzz",
      "\ud83f\udfff\ud83f\udfffx"};
    for (String s : strings) {
      for (int n : new int[] {1, 2, 3, 16}) {
        ObjectNode one = out.addObject().put("type", "string").put("length", n);
        one.put("value", s);
        one.put("value_hex", utf8(s));
        String lower = UnicodeUtil.truncateStringMin(s, n);
        String upper = UnicodeUtil.truncateStringMax(s, n);
        one.put("lower_hex", utf8(lower));
        one.put("upper_hex", upper == null ? null : utf8(upper));
      }
    }
    String[] binaries = {"", "00", "ff", "ffff", "00ff", "00ffff", "01ffffff", "ffffff", "fffffe", "feffff", "0102030405060708090a0b0c0d0e0f1011", "ffffffffffffffffffffffffffffffffff", "00ffffffffffffffffffffffffffffffffff"};
    for (String hex : binaries) {
      for (int n : new int[] {1, 2, 3, 16}) {
        ObjectNode one = out.addObject().put("type", "binary").put("length", n).put("value_hex", hex);
        one.put("lower_hex", Json.hex(BinaryUtil.truncateBinaryMin(bytes(hex), n)));
        ByteBuffer upper = BinaryUtil.truncateBinaryMax(bytes(hex), n);
        one.put("upper_hex", upper == null ? null : Json.hex(upper));
      }
    }
    return out;
  }

  private static String utf8(String s) {
    return HexFormat.of().formatHex(s.getBytes(java.nio.charset.StandardCharsets.UTF_8));
  }

  public static void main(String[] args) throws Exception {
    fill();
    ObjectNode t = Json.F.objectNode();
    t.set("hashes", hashes());
    t.set("transforms", transforms());
    write(t, args[0]);
    ObjectNode v = Json.F.objectNode();
    v.set("single_values", singleValues());
    v.set("promoted", promoted());
    v.set("truncated", truncations());
    write(v, args[1]);
  }

  /** One array element a line. */
  private static void write(ObjectNode doc, String path) throws Exception {
    StringBuilder out = new StringBuilder("{\n");
    List<String> sections = new ArrayList<>();
    doc.fieldNames().forEachRemaining(sections::add);
    for (String s : sections) {
      out.append("  \"").append(s).append("\": [\n");
      List<String> lines = new ArrayList<>();
      for (JsonNode e : doc.get(s)) {
        lines.add("    " + Json.MAPPER.writeValueAsString(e));
      }
      out.append(String.join(",\n", lines)).append("\n  ]").append(s.equals(sections.get(sections.size() - 1)) ? "\n" : ",\n");
    }
    java.nio.file.Files.writeString(new File(path).toPath(), out.append("}\n"));
  }
}
