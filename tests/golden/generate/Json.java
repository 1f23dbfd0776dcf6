// The one JSON encoding of column values in tests/golden (see ../README.md), shared by Dump, JavaTables and Values.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.iceberg.Schema;
import org.apache.iceberg.SchemaParser;
import org.apache.iceberg.StructLike;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.Types;
import org.apache.iceberg.variants.Variant;
import org.apache.iceberg.variants.VariantValue;

final class Json {
  static final ObjectMapper MAPPER = new ObjectMapper();
  static final JsonNodeFactory F = JsonNodeFactory.instance;
  private static final DateTimeFormatter TIME_MICROS = DateTimeFormatter.ofPattern("HH:mm:ss.SSSSSS");
  private static final DateTimeFormatter MICROS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS");
  private static final DateTimeFormatter NANOS = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSSSSS");

  private Json() {}

  /** A value in the generic data model (LocalDate, OffsetDateTime, Record, List, Map, ByteBuffer, byte[], UUID...). */
  static JsonNode value(Type type, Object v) {
    if (v == null) {
      return F.nullNode();
    }
    switch (type.typeId()) {
      case BOOLEAN:
        return F.booleanNode((Boolean) v);
      case INTEGER:
      case LONG:
        return F.numberNode(((Number) v).longValue());
      case FLOAT: {
        float f = ((Number) v).floatValue(); // Java hands out doubles for widened identity partitions
        return real(Float.isFinite(f), Float.toString(f));
      }
      case DOUBLE: {
        double d = ((Number) v).doubleValue();
        return real(Double.isFinite(d), Double.toString(d));
      }
      case DECIMAL:
        return F.textNode(((BigDecimal) v).toPlainString());
      case DATE:
        return F.textNode(((LocalDate) v).toString());
      case TIME:
        return F.textNode(TIME_MICROS.format((LocalTime) v));
      case TIMESTAMP:
        return F.textNode(stamp(v, MICROS));
      case TIMESTAMP_NANO:
        return F.textNode(stamp(v, NANOS));
      case UUID:
      case STRING:
        return F.textNode(v.toString());
      case FIXED:
      case BINARY:
        return F.textNode(hex(v));
      case STRUCT: {
        ObjectNode out = F.objectNode();
        StructLike row = (StructLike) v;
        int pos = 0;
        for (Types.NestedField f : type.asStructType().fields()) {
          out.set(f.name(), value(f.type(), row.get(pos++, Object.class)));
        }
        return out;
      }
      case LIST: {
        ArrayNode out = F.arrayNode();
        for (Object e : (List<?>) v) {
          out.add(value(type.asListType().elementType(), e));
        }
        return out;
      }
      case MAP: {
        List<Map.Entry<?, ?>> entries = new ArrayList<>(((Map<?, ?>) v).entrySet());
        entries.sort((a, b) -> compareKeys(a.getKey(), b.getKey()));
        ArrayNode out = F.arrayNode();
        for (Map.Entry<?, ?> e : entries) {
          ArrayNode pair = out.addArray();
          pair.add(value(type.asMapType().keyType(), e.getKey()));
          pair.add(value(type.asMapType().valueType(), e.getValue()));
        }
        return out;
      }
      case VARIANT:
        return variant(((Variant) v).value());
      default:
        return F.textNode(v.toString());
    }
  }

  private static JsonNode variant(VariantValue v) {
    switch (v.type()) {
      case NULL:
        return F.textNode("variant null");
      case OBJECT: {
        ObjectNode out = F.objectNode();
        v.asObject().fieldNames().forEach(n -> out.set(n, variant(v.asObject().get(n))));
        return out;
      }
      case ARRAY: {
        ArrayNode out = F.arrayNode();
        for (int i = 0; i < v.asArray().numElements(); i++) {
          out.add(variant(v.asArray().get(i)));
        }
        return out;
      }
      default:
        return MAPPER.valueToTree(v.asPrimitive().get());
    }
  }

  @SuppressWarnings("unchecked")
  private static int compareKeys(Object a, Object b) {
    if (a instanceof CharSequence || !(a instanceof Comparable)) {
      return a.toString().compareTo(b.toString());
    }
    return ((Comparable<Object>) a).compareTo(b);
  }

  private static JsonNode real(boolean finite, String text) {
    // Java's shortest text of the value, written raw so that "-0.0" and the digits stay as they are.
    return finite ? (JsonNode) F.rawValueNode(new RawValue(text)) : F.textNode(text);
  }

  private static String stamp(Object v, DateTimeFormatter format) {
    if (v instanceof OffsetDateTime) {
      return format.format(((OffsetDateTime) v).withOffsetSameInstant(ZoneOffset.UTC)) + "+00:00";
    }
    return format.format((LocalDateTime) v);
  }

  static String hex(Object v) {
    if (v instanceof byte[]) {
      return HexFormat.of().formatHex((byte[]) v);
    }
    ByteBuffer copy = ((ByteBuffer) v).duplicate();
    byte[] bytes = new byte[copy.remaining()];
    copy.get(bytes);
    return HexFormat.of().formatHex(bytes);
  }

  /** The columns of a schema with their Iceberg JSON types and field ids. */
  static JsonNode fields(Schema schema) {
    try {
      return MAPPER.readTree(SchemaParser.toJson(schema)).get("fields");
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
