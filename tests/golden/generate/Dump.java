// Reads tables by their metadata file with Iceberg's own generic reader and writes what a correct reader must return:
//   Dump <metadata.json>... -> one JSON document per line on stdout.
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.BaseTable;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.DeleteFile;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.HistoryEntry;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.SnapshotRef;
import org.apache.iceberg.StaticTableOperations;
import org.apache.iceberg.Table;
import org.apache.iceberg.TableScan;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.hadoop.HadoopFileIO;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.util.SnapshotUtil;

public final class Dump {
  public static void main(String[] args) throws Exception {
    for (String location : args) {
      ObjectNode out = Json.F.objectNode();
      try {
        Table table =
            new BaseTable(new StaticTableOperations(location, new HadoopFileIO(new Configuration())), location);
        dump(table, location, out);
      } catch (Throwable e) {
        System.err.println("Dump failed: " + location);
        e.printStackTrace();
        out.put("error", e.toString());
      }
      System.out.println(Json.MAPPER.writeValueAsString(out));
    }
  }

  private static void dump(Table table, String location, ObjectNode out) throws Exception {
    out.put("metadata_location", location);
    out.put("location", table.location());
    out.set("schema", Json.fields(table.schema()));
    out.put("current_snapshot_id", table.currentSnapshot() == null ? null : table.currentSnapshot().snapshotId());
    if (table.currentSnapshot() == null) {
      out.put("count", 0);
      out.putArray("rows");
    } else {
      ArrayNode rows = rows(IcebergGenerics.read(table), table.schema());
      out.put("count", rows == null ? -1 : rows.size());
      out.set("rows", rows);
      out.set("scan", scan(table, table.newScan()));
    }
    ObjectNode snapshots = out.putObject("snapshots");
    for (Snapshot s : table.snapshots()) {
      ObjectNode one = snapshots.putObject(Long.toString(s.snapshotId()));
      Schema schema = SnapshotUtil.schemaFor(table, s.snapshotId());
      ArrayNode rows = rows(IcebergGenerics.read(table).useSnapshot(s.snapshotId()), schema);
      one.put("timestamp_ms", s.timestampMillis());
      one.put("sequence_number", s.sequenceNumber());
      one.put("operation", s.operation());
      one.set("columns", Json.MAPPER.valueToTree(schema.columns().stream().map(c -> c.name()).toList()));
      one.put("count", rows == null ? -1 : rows.size());
      one.set("rows", rows);
    }
    ArrayNode log = out.putArray("snapshot_log");
    for (HistoryEntry e : table.history()) {
      log.addObject().put("timestamp_ms", e.timestampMillis()).put("snapshot_id", e.snapshotId());
    }
    ObjectNode refs = out.putObject("refs");
    for (Map.Entry<String, SnapshotRef> e : table.refs().entrySet()) {
      refs.putObject(e.getKey())
          .put("snapshot_id", e.getValue().snapshotId())
          .put("type", e.getValue().type().name().toLowerCase());
    }
  }

  /** All rows, or null when the generic reader cannot read them. */
  private static ArrayNode rows(IcebergGenerics.ScanBuilder scan, Schema schema) throws Exception {
    ArrayNode rows = Json.F.arrayNode();
    try (CloseableIterable<Record> records = scan.build()) {
      for (Record r : records) {
        rows.add(Json.value(schema.asStruct(), r));
      }
    } catch (RuntimeException e) {
      // The generic reader fails on some imported files; finish.py then takes the rows from another reader.
      System.err.println("rows unread: " + e);
      return null;
    }
    return rows;
  }

  /** What scan planning must find: every live data file with the delete files that apply to it. */
  private static ArrayNode scan(Table table, TableScan scan) throws Exception {
    ArrayNode out = Json.F.arrayNode();
    try (CloseableIterable<FileScanTask> tasks = scan.planFiles()) {
      for (FileScanTask task : tasks) {
        DataFile file = task.file();
        PartitionSpec spec = table.specs().get(file.specId());
        ObjectNode one = out.addObject();
        one.put("file", file.location());
        one.put("record_count", file.recordCount());
        one.put("spec_id", file.specId());
        one.put("partition", spec.isUnpartitioned() ? "" : spec.partitionToPath(file.partition()));
        if (file.firstRowId() != null) {
          one.put("first_row_id", file.firstRowId());
        }
        ArrayNode deletes = one.putArray("deletes");
        for (DeleteFile d : task.deletes()) {
          ObjectNode del = deletes.addObject();
          del.put("file", d.location());
          del.put("content", d.content().name().toLowerCase());
          del.put("format", d.format().name().toLowerCase());
          del.put("record_count", d.recordCount());
          if (d.equalityFieldIds() != null) {
            del.set("equality_ids", Json.MAPPER.valueToTree(d.equalityFieldIds()));
          }
        }
      }
    }
    return out;
  }
}
